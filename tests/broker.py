"""A real Kafka broker on loopback, one KRaft node from its Maven artifacts: for the tests, the benchmarks, and for whoever
tries things out with `make kafka` (which is `python tests/broker.py start`) and `make kafka-stop`.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
JARS = ROOT / ".kafka"  # `make .kafka/.done` fetches them
FOLDER, PORT = ROOT / "var" / "kafka", 9092
STARTED = "Kafka Server started"
STARTS_WITHIN_S, STOPS_WITHIN_S = 180.0, 60.0
JAVA = ("-Xmx512m", "-Djava.net.preferIPv4Stack=true", "-Djava.awt.headless=true")
LOGGING = """\
shutdownHook = disable
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %m (%c{1})%n
logger.settings.name = org.apache.kafka.common.config
logger.settings.level = WARN
logger.server.name = kafka.server.KafkaConfig
logger.server.level = WARN
"""
ALONE = {  # one node, which asks no other before it answers
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAIN",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "broker.session.timeout.ms": "3000",  # how long a restart waits for the one before it to be over
    "broker.heartbeat.interval.ms": "500",
    "controller.quorum.election.timeout.ms": "300",
    "controller.quorum.fetch.timeout.ms": "300",
}


class BrokerError(Exception):
    """A broker that does not start, and why."""


@dataclass
class Broker:
    """One node: its `listeners` by name (PLAIN is one of them), the port of each, and where a client is told to find it
    if that is another port; `settings` are Kafka's own. It dies with whoever started it, unless it `outlives` them.
    """

    folder: Path
    listeners: dict[str, int] = field(default_factory=lambda: {"PLAIN": free_ports(1)[0]})
    advertised: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    scram: Mapping[str, str] = field(default_factory=dict)  # passwords by user
    outlives: bool = False
    controller_port: int = field(default_factory=lambda: free_ports(1)[0])

    @property
    def servers(self) -> str:
        return self.at("PLAIN")

    @property
    def log(self) -> Path:
        return self.folder / "kafka.log"

    def at(self, listener: str) -> str:
        return f"localhost:{self.advertised.get(listener, self.listeners[listener])}"

    def pid(self) -> int:
        """Of the running broker, else 0."""
        try:
            pid = int((self.folder / "pid").read_text())
            is_ours = str(self._properties).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return 0
        return pid if is_ours else 0

    def start(self) -> None:
        """Returns when it takes connections; raises BrokerError with the reason if it ends instead."""
        self._prepare()
        self._check_ports()
        said = self.log.stat().st_size
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*self._tied(), *self._java("kafka.Kafka", str(self._properties))],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (self.folder / "pid").write_text(str(process.pid))
        try:
            self._wait(process, said)
        except BaseException:
            process.kill()
            process.wait()
            raise
        self._process = process

    def stop(self) -> None:
        """End it as it likes to be ended: everything is on the disk afterwards."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        os.kill(self.pid(), signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid(), signal.SIGCONT)

    @property
    def _properties(self) -> Path:
        return self.folder.absolute() / "server.properties"

    def _prepare(self) -> None:
        if not (JARS / ".done").exists():
            raise BrokerError("Apache Kafka is not here; make .kafka/.done fetches it")
        if shutil.which("java") is None:
            raise BrokerError("java: is not installed; apt-get install openjdk-17-jre-headless")
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(LOGGING)
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in self._settings().items()))
        self.log.touch()
        if not (self.folder / "data" / "meta.properties").exists():
            users = [f"SCRAM-SHA-512=[name={user},password={word}]" for user, word in self.scram.items()]
            command = ["format", "-t", "sightline", "-c", str(self._properties)]
            command += [part for user in users for part in ("--add-scram", user)]
            done = subprocess.run(
                self._java("kafka.tools.StorageTool", *command), capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise BrokerError(f"{self.folder}: cannot be used, {_reason(done.stdout + done.stderr)}")

    def _check_ports(self) -> None:
        for port in (*self.listeners.values(), self.controller_port):
            try:
                socket.create_server(("127.0.0.1", port)).close()
            except OSError as error:
                raise BrokerError(
                    f"port {port} of localhost: is taken, {os.strerror(error.errno or 0).lower()}; end what has it"
                ) from error

    def _settings(self) -> dict[str, str]:
        ports = {**self.listeners, "CONTROLLER": self.controller_port}
        plain = {name: "PLAINTEXT" for name in ports}
        return {
            **ALONE,
            "log.dirs": str(self.folder.absolute() / "data"),
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items()),
            "advertised.listeners": ",".join(f"{name}://{self.at(name)}" for name in self.listeners),
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in plain.items()),
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            **self.settings,
        }

    def _tied(self) -> list[str]:
        return [] if self.outlives else ["setpriv", "--pdeathsig", "KILL"]

    def _java(self, main: str, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self.folder.absolute() / 'log4j2.properties'}"
        return ["java", *JAVA, logging, "-cp", f"{JARS}/*", main, *arguments]

    def _wait(self, process: subprocess.Popen[bytes], said: int) -> None:
        end = time.monotonic() + STARTS_WITHIN_S
        while True:
            text = self.log.read_bytes()[said:].decode(errors="replace")
            if STARTED in text:
                return
            if process.poll() is not None:
                raise BrokerError(
                    f"Kafka has ended at its start: {_reason(text)}; all it said is in {self.log}"
                )
            if time.monotonic() > end:
                raise BrokerError(
                    f"Kafka is not up after {STARTS_WITHIN_S:.0f} s; what it said is in {self.log}"
                )
            time.sleep(0.1)

    def _end(self, how: signal.Signals) -> None:
        pid = self.pid()
        if not pid:
            return
        watched = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(watched, how)
            signal.pidfd_send_signal(watched, signal.SIGCONT)  # a frozen one would not hear it
            ended = select.poll()  # which, unlike select, takes any number of open files
            ended.register(watched, select.POLLIN)
            if not ended.poll(STOPS_WITHIN_S * 1000):
                raise BrokerError(f"Kafka, process {pid}, does not stop; see {self.log}, or kill -9 {pid}")
        finally:
            os.close(watched)
        if (process := getattr(self, "_process", None)) is not None:
            process.wait()
        (self.folder / "pid").unlink(missing_ok=True)


def free_ports(number: int) -> list[int]:
    """Ports of loopback that nobody has."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def _reason(text: str) -> str:
    """The innermost cause in what Java said."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("Caused by") or "Exception" in line or "ERROR" in line]
    return (told or lines or ["it says nothing"])[-1].removeprefix("Caused by: ")


def main(command: str) -> int:
    """`start` or `stop` the one broker of `make kafka`."""
    broker = Broker(FOLDER, {"PLAIN": PORT}, outlives=True, controller_port=PORT + 1)
    try:
        if command == "stop":
            print("Kafka stops" if broker.pid() else "Kafka does not run")
            broker.stop()
            return 0
        if not broker.pid():
            broker.start()
    except BrokerError as error:
        print(error, file=sys.stderr)
        return 2
    shown = FOLDER.relative_to(Path.cwd()) if FOLDER.is_relative_to(Path.cwd()) else FOLDER
    print(
        f"Kafka listens on localhost:{PORT}, keeps its data and kafka.log in {shown}; make kafka-stop ends it"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
