import io
import warnings

import numpy as np
import pytest
from PIL import Image

from curation.errors import CurationError
from curation.images import decode
from tests import make


def test_size_is_read_from_the_header():
    assert decode.size(make.encoded(make.picture(size=(40, 30)))) == (40, 30)


def test_transparent_pixels_become_white():
    for mode, color in (("RGBA", (255, 0, 0, 0)), ("LA", (0, 0))):
        clear = make.encoded(Image.new(mode, (4, 4), color), "PNG")
        assert decode.rgb(clear).getpixel((0, 0)) == (255, 255, 255)


def test_transparent_palette_colors_become_white():
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([255, 0, 0] * 256)
    assert decode.rgb(make.encoded(palette, "PNG", transparency=0)).getpixel((0, 0)) == (255,) * 3


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "1", "P", "LA", "RGBA", "I;16"])
def test_images_of_every_mode_become_rgb(mode):
    picture = (
        make.picture().convert("L").convert("I").convert("I;16")
        if mode == "I;16"
        else (make.picture().convert(mode))
    )
    format = "TIFF" if mode == "CMYK" else "PNG"
    result = decode.rgb(make.encoded(picture, format))
    assert (result.mode, result.size) == ("RGB", (40, 30))


def test_sixteen_bit_gray_keeps_its_shades():
    values = np.linspace(0, 65535, 256).astype(np.uint16)[None, :].repeat(4, axis=0)
    result = np.asarray(decode.rgb(make.encoded(Image.fromarray(values), "PNG")))
    assert np.abs(result[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_an_image_is_rotated_as_its_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = make.encoded(make.picture(size=(40, 30)), exif=exif.tobytes())
    assert decode.rgb(turned).size == (30, 40)


def test_a_jpeg_is_decoded_at_a_reduced_size_not_below_the_requested_one():
    big = make.encoded(make.picture(size=(800, 1600)))
    small = decode.rgb(big, at_least=128)
    assert min(small.size) >= 128
    assert max(small.size) < 800
    assert decode.rgb(big, at_least=400).size == (400, 800)
    square = make.encoded(make.picture(size=(800, 800)))
    assert decode.rgb(square, at_least=401).size == (800, 800)
    assert decode.rgb(big, at_least=800, longer_side=True).size == (400, 800)


def test_a_thumbnail_is_a_jpeg_with_sides_of_at_most_the_requested_length():
    data = decode.thumbnail(make.encoded(make.picture(size=(300, 200))), 64)
    result = Image.open(io.BytesIO(data))
    assert (result.format, result.size) == ("JPEG", (64, 43))


def test_a_truncated_jpeg_is_refused(tmp_path):
    data = make.truncated_jpeg(tmp_path / "cut.jpg").read_bytes()
    assert decode.size(data) == (200, 200)
    with pytest.raises(CurationError, match="cannot be decoded"):
        decode.rgb(data)


@pytest.mark.parametrize("data", [b"", b"hello", b"\xff\xd8\xff", b"<svg></svg>", b"GIF89a"])
def test_bytes_that_are_not_an_image_are_refused(data):
    with pytest.raises(CurationError):
        decode.size(data)


def test_a_decompression_bomb_is_refused_without_decoding():
    bomb = make.encoded(Image.new("1", (20_000, 10_000)), "PNG")
    assert len(bomb) < 100_000
    with pytest.raises(CurationError, match="too many pixels"):
        decode.size(bomb)


@pytest.mark.filterwarnings("ignore")
def test_a_large_image_is_refused_with_any_warning_filters(monkeypatch):
    data = make.encoded(make.picture(size=(40, 30)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(CurationError, match="too many pixels"):
        decode.rgb(data)
    # Another thread may reset the filters in between.
    monkeypatch.setattr(warnings, "simplefilter", lambda *_: None)
    with pytest.raises(CurationError, match="too many pixels"):
        decode.rgb(data)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
def test_damaged_files_raise_only_curation_errors(format):
    whole = make.encoded(make.picture(size=(24, 16)), format)
    rng = np.random.default_rng(0)
    decoded = 0
    for _ in range(150):
        damaged = bytearray(whole)
        for position in rng.integers(0, len(whole), 6):
            damaged[position] = rng.integers(0, 256)
        try:
            decode.rgb(bytes(damaged))
            decoded += 1
        except CurationError:
            pass
    assert decoded < 150


def test_extreme_aspect_ratios_are_cropped_to_the_center():
    line = Image.new("RGB", (3000, 2))
    line.paste((255, 0, 0), (1480, 0, 1520, 2))
    middle = decode.crop_extreme_aspect(line)
    assert middle.size == (40, 2)
    assert middle.getpixel((0, 0)) == (255, 0, 0)
    assert decode.crop_extreme_aspect(line.rotate(90, expand=True)).size == (2, 40)
    assert decode.crop_extreme_aspect(make.picture()).size == (40, 30)
