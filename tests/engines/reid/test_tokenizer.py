"""Texts as numbers: begun, ended, cut where they must be, in any script. That CLIP's are right, open_clip judges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.reid.tokenizer import ClipTokenizer
from engines.reid.words import WordTokenizer

BEGIN, END = 49406, 49407


@pytest.fixture(scope="module")
def clip():
    return ClipTokenizer()


def test_a_template_has_its_slots_where_its_xs_stand(clip):
    (numbers,) = clip(["A photo of a X X X X person."]).tolist()
    slot = clip.words("X")
    assert numbers[:12] == [BEGIN, *clip.words("a photo of a"), *4 * slot, *clip.words("person."), END]
    assert len(slot) == 1 and set(numbers[12:]) == {0}


def test_a_long_text_is_cut_and_ended_and_that_is_said(clip, caplog):
    numbers = clip(["red " * 100, "red"])
    assert numbers[0].tolist() == [BEGIN, *75 * clip.words("red"), END]
    assert caplog.messages == ["1 of 2 texts are longer than 77 tokens; their ends are not read"]


def test_a_text_that_just_fits_is_whole_and_nothing_is_said(clip, caplog):
    assert clip(["red " * 75])[0, -1] == END
    assert caplog.messages == []


def test_an_empty_text_is_begun_and_ended_and_that_is_said(clip, caplog):
    assert clip([" \n"])[0, :3].tolist() == [BEGIN, END, 0]
    assert caplog.messages == ["1 of 1 texts are empty"]


def test_a_text_in_another_script_works_and_that_is_said(clip, caplog):
    numbers = clip(["穿红色外套的女人", "café au lait"])
    assert END in numbers[0].tolist() and len(set(numbers[0].tolist())) > 5
    assert caplog.messages == ["1 of 2 texts are in another script than English, which CLIP knows"]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_becomes_numbers_that_end_with_the_largest(clip, text):
    (numbers,) = clip([text])
    end = int(numbers.argmax())
    assert numbers[0] == BEGIN and numbers[end] == END
    assert np.all(numbers[1:end] < BEGIN) and np.all(numbers[end + 1 :] == 0)


def test_the_twins_tokenizer_knows_its_words_and_no_others(caplog):
    tokenizer = WordTokenizer(["A red coat.", "a blue coat."], context=8)
    assert tokenizer.count == 9  # nothing, unknown, five words, begin, end
    rows = tokenizer(["a RED coat.", "a green hat", "a " * 9]).tolist()
    assert rows[0] == [7, *tokenizer.words("a red coat."), 8, 0, 0]
    assert rows[1][:5] == [7, *tokenizer.words("a"), 1, 1, 8]
    assert rows[2] == [7, *6 * tokenizer.words("a"), 8]
    assert caplog.messages == ["1 of 3 texts are longer than 8 tokens; their ends are not read"]
