# make run: the main job on simulated people. make test: every check that CI makes. Neither needs root.
PYTHON ?= python3
VENV := .venv
WORKERS ?= 2
BIN := $(VENV)/bin
# compiled now, not when it is first imported, nor each time where Python may not write
UV := $(BIN)/uv pip install -q --compile-bytecode -p $(BIN)/python -c constraints.txt

.PHONY: help run test lint format judges peers kafka kafka-stop clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: $(VENV)/.core ## the main job on simulated people: identities, scores and a picture
	$(BIN)/python run.py --graph configs/topview_rgbd.yaml --simulate

test: $(VENV)/.dev judges .kafka/.done lint ## lint, types and all tests, WORKERS=N: N files of them at a time
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --max-worker-restart 0

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev ## put the code into the common form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

judges: .venv-judges/.done .venv-judges-detectors/.done .venv-judges-yolo/.done .venv-judges-reid/.done .venv-judges-clip/.done

peers: .venv-peers-trackers/.done .venv-peers-norfair/.done .venv-peers-boxmot/.done ## trackers of others, for benchmarks/tracking.py

kafka: .kafka/.done ## a Kafka broker on localhost:9092, to try things out; needs Java and Maven
	$(PYTHON) tests/broker.py start

kafka-stop: ## end it
	$(PYTHON) tests/broker.py stop

clean: kafka-stop ## remove what make made
	rm -rf .kafka $(VENV) .venv-judges .venv-judges-detectors .venv-judges-yolo .venv-judges-reid .venv-judges-clip .venv-peers-* var

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt uv

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/uv
	$(UV) -r pyproject.toml
	touch $@

$(VENV)/.dev: $(VENV)/.core
	$(UV) -r pyproject.toml --extra confluent --extra parquet --extra realsense --extra openvino --extra onnxruntime --extra tensorrt-rtx --extra torch --extra quantize --extra dev
	touch $@

.venv-judges/.done: tests/judges/requirements.txt | $(BIN)/uv
	$(BIN)/uv venv -q --clear -p $(BIN)/python .venv-judges
	$(BIN)/uv pip install -q -p .venv-judges/bin/python -r tests/judges/requirements.txt
	touch $@

# what benchmarks are compared with, each in an environment of its own
.venv-peers-%/.done: benchmarks/peers/%.txt | $(BIN)/uv
	$(BIN)/uv venv -q --clear -p $(BIN)/python .venv-peers-$*
	$(BIN)/uv pip install -q --no-deps -p .venv-peers-$*/bin/python -r $<
	touch $@

# their lists are whole: what they ask for would bring several builds of OpenCV into one place
.venv-judges-%/.done: tests/judges/%.txt | $(BIN)/uv
	$(BIN)/uv venv -q --clear -p $(BIN)/python .venv-judges-$*
	$(BIN)/uv pip install -q --no-deps -p .venv-judges-$*/bin/python -r $<
	touch $@

.kafka/.done: tests/broker.pom.xml
	rm -rf .kafka
	mvn -B -q -f $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/.kafka
	touch $@
