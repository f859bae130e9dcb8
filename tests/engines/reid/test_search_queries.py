"""What is asked for in benchmarks/claims/search_queries.tsv is of people whom there may be."""

from pathlib import Path

from engines.reid.data.synthped import SynthPed
from engines.reid.lab.people import Attributes

QUERIES = Path(__file__).parents[3] / "benchmarks/claims/search_queries.tsv"


def asked():
    lines = [line for line in QUERIES.read_text().splitlines() if not line.startswith("#")]
    for line in lines:
        words, _, wanted = line.partition("\t")
        yield words, dict(part.replace("_bag", " bag").split("=") for part in wanted.split())


def test_there_are_enough_and_each_finds_somebody_among_many():
    everybody = [SynthPed(Path()).laboratory.attributes(person, 0)._asdict() for person in range(3000)]
    queries = dict(asked())
    assert len(queries) >= 100
    for words, wanted in queries.items():
        assert wanted and set(wanted) <= set(Attributes._fields), words
        assert any(all(str(one[name]) == value for name, value in wanted.items()) for one in everybody), words
