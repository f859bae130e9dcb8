"""A site's topics on a real broker, filled as a site fills them."""

import json
import uuid

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from published import records

TOPICS = {
    "identity": "identities.v1",
    "tracklet": "tracklets.v1",
    "system": "system.v1",
    "state": "identity-state.v1",
}


class Publisher:
    """What a site has on a broker."""

    def __init__(self, broker, partitions=2):
        self.name = f"site-{uuid.uuid4().hex[:8]}"
        self.url = f"kafka://{broker.servers}/{self.name}"
        self._producer = KafkaProducer(bootstrap_servers=broker.servers, acks="all", linger_ms=5)
        self.admin = KafkaAdminClient(bootstrap_servers=broker.servers)
        compact = {"cleanup.policy": "compact"}
        for family, name in TOPICS.items():
            settings = compact if family == "state" else {}
            topic = NewTopic(f"{self.name}.{name}", partitions, 1, topic_configs=settings)
            self.admin.create_topics([topic])

    def send(self, *of_lines):
        """Events, in CloudEvents' binary mode."""
        for line in of_lines:
            envelope = json.loads(line)
            family, data = envelope["type"].split(".")[1], json.dumps(envelope.pop("data")).encode()
            headers = [(f"ce_{name}", text.encode()) for name, text in envelope.items()]
            self.put(family, envelope["partitionkey"], data, headers)
        self._producer.flush()

    def keep(self, of_lines):
        """The records of states after these events."""
        for key, record in records(of_lines).items():
            self.put("state", key, record, [])
        self._producer.flush()

    def put(self, family, key, value, headers):
        self._producer.send(f"{self.name}.{TOPICS[family]}", value, key.encode(), headers=headers)

    def close(self):
        self._producer.close()
        self.admin.close()
