import socket

import numpy as np
import pyarrow as pa
import pytest

from curation.scores import language

CAPTIONS = {
    "en": "a dog running on the beach at sunset",
    "de": "Ferienwohnung mit Blick auf die Berge",
    "fr": "Un chien court sur la plage",
    "es": "Zapatillas de correr para hombre",
    "it": "Un cane che corre sulla spiaggia",
    "pt": "Um cachorro correndo na praia",
    "nl": "Een hond rent op het strand",
    "pl": "Pies biegnie po plaży",
    "ru": "Собака бежит по пляжу",
    "ja": "かわいい犬がビーチを走っています",
    "zh": "一只狗在海边的沙滩上奔跑的照片",
    "ko": "해변을 달리는 개",
    "ar": "كلب يركض على الشاطئ",
    "hi": "समुद्र तट पर दौड़ता कुत्ता",
    "tr": "Sahilde koşan bir köpek",
}


@pytest.mark.parametrize("code", CAPTIONS)
def test_detects_the_language_of_a_caption(code):
    result = language([CAPTIONS[code]])
    assert result.code.to_pylist() == [code]
    assert 0 < result.probability[0] <= 1


@pytest.mark.parametrize("caption", ["", "   ", "\n", "😀🎉", "12345 $$$", "5 €", "0001", None])
def test_a_caption_without_letters_has_no_language(caption):
    result = language([caption])
    assert result.code.to_pylist() == [None]
    assert np.isnan(result.probability[0])


def test_a_caption_without_known_features_has_no_language():
    assert language(["狗", "x"]).code.to_pylist() == [None, None]


def test_line_breaks_and_control_characters_change_nothing():
    plain = language(["a dog running on the beach"])
    broken = language(["a dog\nrunning\r\non\x00 the\tbeach"])
    assert broken.code.to_pylist() == plain.code.to_pylist()
    assert broken.probability.tolist() == plain.probability.tolist()


def test_a_long_caption_is_not_truncated():
    start = "1 " * 200
    assert language([start + CAPTIONS["de"]]).code.to_pylist() == ["de"]


def test_captions_keep_their_order():
    result = language(pa.chunked_array([list(CAPTIONS.values()), [None], ["7"]]))
    assert result.code.to_pylist() == [*CAPTIONS, None, None]
    assert result.code.type == pa.string()
    assert result.probability.dtype == np.float32


def test_no_captions_give_an_empty_result():
    assert (len(language([]).code), language([]).probability.shape) == (0, (0,))


def test_nothing_is_downloaded(monkeypatch):
    from curation.scores.language import _detector

    def refuse(*_):
        raise AssertionError("a network connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    _detector.cache_clear()
    assert language(["a dog running on the beach"]).code.to_pylist() == ["en"]
