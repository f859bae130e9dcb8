"""TVRID's scores on the fixture that its released scorer was run on, and its files."""

import csv
from dataclasses import astuple
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.build import InputError
from engines.evaluate.tvrid import (
    CAMERAS,
    COLUMNS,
    passages_of,
    read_rankings,
    scores,
    without_itself,
    write_rankings,
)

# queries, mAP, CMC-1, CMC-5, CMC-10, rows that are kept
GOLDEN = {
    "same_cam_cross_passage": (30, 0.866667, 0.8, 1, 1, 120),
    "up_down_cross_passage": (16, 0.958333, 0.9375, 1, 1, 64),
    "flat_vs_others": (28, 0.816950, 0.714286, 1, 1, 168),
    "global": (31, 0.688045, 1.0, 1, 1, 930),
}


@pytest.fixture
def passages(tmp_path):
    """31 passages, each in a folder of its name."""
    rows = [
        row
        for row in product(("P0", "P1", "P2", "P3"), CAMERAS, ("IN", "OUT"))
        if row != ("P3", "flat", "OUT")
    ]
    lines = [f"g{number:02d},{','.join(row)},g{number:02d}" for number, row in enumerate(rows)]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["gallery_id,person_id,cam_name,passage_name,path", *lines, ""]))
    return passages_of(table)


@pytest.fixture
def table(passages):
    """The distance of each from each."""
    numbers = np.arange(len(passages))
    spread = (37 * numbers[:, None] + 61 * numbers) % 101
    return spread + np.where(passages.people[:, None] == passages.people, 0.0, 40.0)


@pytest.fixture
def written(passages, table, tmp_path):
    """The rankings of these distances, in a file."""
    path = tmp_path / "made" / "rankings_rgb.csv"
    orders = (np.argsort(row, kind="stable") for row in table)
    write_rankings(path, passages, without_itself(orders), table)
    return path


def test_scores_are_those_of_the_released_scorer(passages, written):
    found = scores(read_rankings(written, passages), passages)
    for name, one in found.items():
        told = (one.mean_average_precision, one.cmc(1), one.cmc(5), one.cmc(10))
        queries, *expected, pairs = GOLDEN[name]
        assert (len(one.queries), one.pairs) == (queries, pairs), name
        assert told == pytest.approx(expected, abs=1e-6), name
    assert list(found) == list(GOLDEN)


def test_a_file_is_written_exactly(passages, table, written):
    lines = written.read_text().split("\n")
    assert (
        lines[0] == ",".join(COLUMNS) == "query_gallery_id,query_path,gallery_id,gallery_path,rank,distance"
    )
    assert lines[-1] == ""
    assert len(lines) == 1 + 31 * 30 + 1
    nearest = min((other for other in range(31) if other), key=lambda other: (table[0, other], other))
    assert lines[1] == f"g00,g00,g{nearest:02d},g{nearest:02d},1,{table[0, nearest]}"
    rows = [line.split(",") for line in lines[1:-1]]
    assert [row[0] for row in rows] == [f"g{query:02d}" for query in range(31) for _ in range(30)]
    assert [int(row[4]) for row in rows] == list(range(1, 31)) * 31
    distances = [float(row[5]) for row in rows]
    assert all(sorted(distances[at : at + 30]) == distances[at : at + 30] for at in range(0, 930, 30))
    assert [path.name for path in written.parent.iterdir()] == ["rankings_rgb.csv"]


def test_of_a_list_that_is_cut_off_only_what_is_there_is_looked_for(passages, written):
    head, *rows = written.read_text().splitlines(keepends=True)
    written.write_text("".join([head, *(row for row in rows if int(row.split(",")[4]) <= 5)]))
    short = scores(read_rankings(written, passages), passages)["global"]
    assert short.pairs == 31 * 5
    assert short.mean_average_precision > GOLDEN["global"][1]


def test_rows_are_in_the_order_of_their_ranks_whatever_the_file_says_first(passages, written):
    head, *rows = written.read_text().splitlines(keepends=True)
    written.write_text("".join([head, *reversed(rows)]))
    assert scores(read_rankings(written, passages), passages)[
        "global"
    ].mean_average_precision == pytest.approx(0.688045, abs=1e-6)


def test_rows_of_unknown_passages_are_left_out_as_by_the_released_scorer(passages, written):
    with written.open("a") as file:
        file.write("zzz,zzz,g00,g00,1,0.5\ng00,g00,zzz,zzz,1,0.5\n")
    assert scores(read_rankings(written, passages), passages)["global"].pairs == 930


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("g00,g00,g00,g00,31,1.0", "line 932: 'g00' is ranked for itself; take it out"),
        ("g00,g00,g01,g01,31,1.0", "line 932: 'g01' stands twice for 'g00'; take it out"),
        ("g00,g00,g01,g01,first,1.0", "line 932: rank is 'first'; write a number"),
        ("g00,g00,g01,g01,0,1.0", "line 932: rank is '0'; write a whole number from 1"),
        ("g00,g00,g01,g01,31,near", "line 932: distance is 'near'; write a number"),
        ("g00,g00,g01", "line 932: gallery_path is empty; write it"),
    ],
)
def test_a_wrong_row_is_said_with_its_line(passages, written, row, said):
    with written.open("a") as file:
        file.write(f"{row}\n")
    with pytest.raises(InputError) as error:
        read_rankings(written, passages)
    assert str(error.value) == f"{written}: {said}"


def test_what_is_no_ranking_is_said(passages, tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(
        InputError, match="other.csv: line 1: has no column 'query_gallery_id'; a table of TVRID has"
    ):
        read_rankings(tmp_path / "other.csv", passages)
    with pytest.raises(InputError, match=r"none.csv: cannot be read, No such file"):
        read_rankings(tmp_path / "none.csv", passages)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"bytes.csv: is no table of text"):
        read_rankings(tmp_path / "bytes.csv", passages)


def test_on_a_full_disk_no_file_is_left(passages, table, small_disk):
    disk = small_disk("size=16k")
    orders = without_itself(np.argsort(row, kind="stable") for row in table)
    with pytest.raises(
        InputError,
        match=r"rankings_rgb.csv: cannot be written, No space left on device; choose another place",
    ):
        write_rankings(disk / "rankings_rgb.csv", passages, orders, table)
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,path\na,b\n", "line 1: has no column 'gallery_id', by which passages are named; fetch it again"),
        ("gallery_id,path,person_id\na,b,1\n", "line 1: has no column 'cam_name'; a table of TVRID has gallery_id, path, person_id, cam_name, passage_name"),
        ("gallery_id,path,person_id,cam_name,passage_name\na,b,1,top,IN\n", "line 2: cam_name is 'top'; write one of flat, upward, downward, upsideDown"),
        ("gallery_id,path,person_id,cam_name,passage_name\na,b,1,flat,IN\na,c,1,flat,OUT\n", "line 3: gallery_id 'a' is that of PATH: line 2 too; keep one of them"),
        ("gallery_id,path,person_id,cam_name,passage_name\na,b,,flat,IN\n", "line 2: person_id is empty; write it"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_said_with_its_line(tmp_path, text, said):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        passages_of(path)
    assert str(error.value) == f"{path}: {said.replace('PATH', str(path))}"


def test_public_names_of_passages_go_before_others(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("﻿gallery_id,public_gallery_id,path\nsecret,abc123,abc123\n", "utf-8")
    told = passages_of(path)
    assert (told.ids.tolist(), told.people.tolist()) == (["abc123"], [""])


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)


@given(st.lists(NAMES, min_size=2, max_size=6, unique=True), st.data())
def test_names_of_any_letters_are_read_as_they_were_written(tmp_path_factory, names, data):
    folder = tmp_path_factory.mktemp("named")
    labels = [[name, name, f"P{number}", CAMERAS[number % 4], "IN"] for number, name in enumerate(names)]
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["gallery_id", "path", "person_id", "cam_name", "passage_name"], *labels])
    told = passages_of(folder / "labels.csv")
    assert [column.tolist() for column in astuple(told)] == [
        list(column) for column in zip(*labels, strict=True)
    ]
    everybody = st.permutations(range(len(names)))
    orders = list(without_itself(np.array(data.draw(everybody)) for _ in names))
    write_rankings(folder / "ranked.csv", told, orders, np.ones((len(names),) * 2))
    assert [order.tolist() for order in read_rankings(folder / "ranked.csv", told)] == [
        order.tolist() for order in orders
    ]


@given(
    st.one_of(
        st.binary(max_size=80),
        st.text(st.sampled_from('gallery_id,path\n"\x00é1'), max_size=60).map(str.encode),
    )
)
def test_whatever_a_table_holds_is_read_or_refused_in_one_line(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("table") / "labels.csv"
    path.write_bytes(written)
    for head in (
        b"",
        b"gallery_id,path,person_id,cam_name,passage_name\n",
        ",".join(COLUMNS).encode() + b"\n",
    ):
        path.write_bytes(head + written)
        try:
            told = passages_of(path)
            assert len(told.ids) == len(told.paths) == len(told.people)
        except InputError as error:
            assert str(error).startswith(f"{path}: ")
