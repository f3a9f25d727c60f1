import gzip
import socket
import time
import tracemalloc
import zlib
from itertools import count

import pytest

from curation.errors import UnreadableError
from curation.images import connect, fetch
from tests import make
from tests.web import Page, saying, serving

PICTURE = make.encoded(make.picture(1))
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", connect.PRIVATE):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def private(monkeypatch):
    monkeypatch.setenv(connect.PRIVATE, "1")


@pytest.fixture
def site():
    with serving({"/a.jpg": Page(PICTURE)}) as server:
        yield server


def refused(url, **limits):
    """The reason in the error for a URL; every error has the same beginning and the URL."""
    with pytest.raises(UnreadableError) as caught:
        fetch.fetch(url, **limits)
    beginning, reason = str(caught.value).split(": ", 1)
    assert beginning == "image could not be fetched"
    assert reason.endswith(f": {url}")
    assert "\n" not in reason
    return reason.removesuffix(f": {url}")


def refused_of(talk, **limits):
    with saying(talk) as url:
        return refused(url, **limits)


# Requests and responses.


def test_an_image_is_downloaded(private, site):
    assert fetch.fetch(f"{site.address}/a.jpg") == PICTURE
    assert site.headers[0]["User-Agent"].startswith("clip-curation/")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/a b.jpg", "/a%20b.jpg"),
        ("/a%20b.jpg", "/a%20b.jpg"),
        ("/100%.jpg", "/100%.jpg"),
        ("/käse/猫.jpg", "/k%C3%A4se/%E7%8C%AB.jpg"),
        ("/a.jpg?q=ä b&x=1,2", "/a.jpg?q=%C3%A4%20b&x=1,2"),
        ('/a"<b>.jpg', "/a%22%3Cb%3E.jpg"),
        ("/a.jpg#part", "/a.jpg"),
        ("?x=1", "/?x=1"),
        ("", "/"),
        ("/a.jpg  \n", "/a.jpg"),
        ("/a\tb\n.jpg", "/ab.jpg"),
        ("/a\\b|[c].jpg", "/a/b|[c].jpg"),
    ],
)
def test_a_url_is_escaped_as_browsers_do(private, site, path, asked):
    site.pages[asked] = Page(PICTURE)
    assert fetch.fetch(site.address + path) == PICTURE
    assert site.asked == [asked]


def test_user_and_password_in_a_url_are_sent_as_basic_authorization(private, site):
    url = site.address.replace("://", "://ann:a%20b@") + "/a.jpg"
    assert fetch.fetch(url) == PICTURE
    assert site.headers[0]["Authorization"] == "Basic YW5uOmEgYg=="
    assert site.headers[0]["Host"] == site.address.removeprefix("http://")


def test_user_and_password_are_not_sent_to_a_redirect_target(private, site):
    with serving({"/m": Page(status=302, headers={"Location": f"{site.address}/a.jpg"})}) as other:
        fetch.fetch(other.address.replace("://", "://ann:pw@") + "/m")
    assert "Authorization" in other.headers[0]
    assert "Authorization" not in site.headers[0]


def test_an_international_host_name_is_looked_up_in_ascii(monkeypatch):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: asked.append(address) or [])
    assert refused("http://käse.example/a.jpg") == "the host has no address"
    assert asked == [("xn--kse-qla.example", 80)]


def test_an_ipv6_address_is_used_without_its_brackets(monkeypatch):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: asked.append(address) or [])
    assert refused("http://[2001:DB8::1]:81/a.jpg") == "the host has no address"
    assert refused("http://[2001:DB8::1]/a.jpg") == "the host has no address"
    assert asked == [("2001:db8::1", 81), ("2001:db8::1", 80)]


def test_the_limit_is_exact_for_a_response_without_length(private):
    def talk(connection):
        connection.sendall(HEAD + b"\r\n" + PICTURE)

    with saying(talk) as url:
        assert fetch.fetch(url, limit=len(PICTURE)) == PICTURE
    assert refused_of(talk, limit=len(PICTURE) - 1).startswith("more than")


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_response_is_decompressed(private, site, encoding):
    body = gzip.compress(PICTURE) if encoding == "gzip" else zlib.compress(PICTURE)
    site.pages["/a.jpg"] = Page(body, headers={"Content-Encoding": encoding})
    assert fetch.fetch(f"{site.address}/a.jpg") == PICTURE


def test_a_chunked_response_is_joined(private):
    def talk(connection):
        parts = (PICTURE[at : at + 100] for at in range(0, len(PICTURE), 100))
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
        connection.sendall(CHUNKS + chunks + b"0\r\n\r\n")

    with saying(talk) as url:
        assert fetch.fetch(url) == PICTURE


# Addresses.


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_private_addresses_get_no_request(site, name):
    url = site.address.replace("127.0.0.1", name) + "/a.jpg"
    assert "is not a public address (CURATION_PRIVATE_URLS=1 allows it)" in refused(url)
    assert site.asked == []


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::808:808", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("::7f00:1", False),
        ("::ffff:10.1.2.3", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
    ],
)
def test_public_addresses_are_told_from_all_others(address, is_public):
    assert connect._is_public(address) is is_public


def test_a_redirect_to_a_private_address_is_refused(site, monkeypatch):
    monkeypatch.setattr(connect, "_is_public", lambda address: address == "127.0.0.2")
    moved = {"/m": Page(status=302, headers={"Location": f"{site.address}/a.jpg"})}
    with serving(moved, "127.0.0.2") as public:
        assert refused(f"{public.address}/m").startswith("127.0.0.1 is not a public address")
    assert (public.asked, site.asked) == (["/m"], [])


def test_the_first_public_address_that_accepts_a_connection_is_used(site, monkeypatch):
    port = int(site.address.rpartition(":")[2])
    closed = socket.create_server(("127.0.0.3", 0))
    other = closed.getsockname()[1]
    closed.close()
    addresses = [("10.0.0.1", port), ("127.0.0.3", other), ("127.0.0.1", port)]
    resolved = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: resolved)
    monkeypatch.setattr(connect, "_is_public", lambda address: address.startswith("127."))
    assert fetch.fetch("http://images.example/a.jpg") == PICTURE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(private, site, status):
    site.pages["/m/one"] = Page(b"moved", status, {"Location": "../a b.jpg"})
    site.pages["/a%20b.jpg"] = Page(PICTURE)
    assert fetch.fetch(f"{site.address}/m/one") == PICTURE


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://127.0.0.1/a.jpg", "data:image/png;base64,AAAA"]
)
def test_a_redirect_to_another_protocol_is_refused(private, site, target):
    site.pages["/m"] = Page(status=302, headers={"Location": target})
    assert refused(f"{site.address}/m") == "only http and https URLs are fetched"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a.example/a.jpg", "a.jpg", ""])
def test_other_protocols_are_refused(private, url):
    assert refused(url) == "only http and https URLs are fetched"


def test_a_redirect_to_a_url_in_utf8_is_followed(private, site):
    site.pages["/k%C3%A4se.jpg"] = Page(PICTURE)
    location = f"{site.address}/käse.jpg".encode()
    moved = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\n\r\n"
    with saying(lambda connection: connection.sendall(moved)) as url:
        assert fetch.fetch(url) == PICTURE


def test_circular_redirects_end(private, site):
    site.pages["/1"] = Page(status=302, headers={"Location": "/2"})
    site.pages["/2"] = Page(status=302, headers={"Location": "/1"})
    assert refused(f"{site.address}/1") == "more than 5 redirects"
    assert len(site.asked) == 6


def test_a_redirect_without_a_location_is_reported_by_its_status(private, site):
    site.pages["/m"] = Page(status=302)
    assert refused(f"{site.address}/m") == "HTTP 302 Found"


# Proxies.


def test_a_proxy_from_the_environment_may_be_private(site, monkeypatch):
    monkeypatch.setenv("http_proxy", site.address)
    site.pages["http://images.example/a%20b.jpg"] = Page(PICTURE)
    assert fetch.fetch("http://images.example/a b.jpg") == PICTURE


def test_https_goes_through_a_tunnel_of_the_proxy(monkeypatch):
    heard = []

    def talk(connection):
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        heard.append(connection.recv(65536)[:1])

    with saying(talk) as url:
        monkeypatch.setenv("https_proxy", url.removesuffix("/a.jpg"))
        assert refused("https://images.example/a.jpg").startswith("the TLS connection failed")
    # The first byte of a TLS handshake.
    assert heard == [b"\x16"]


@pytest.mark.parametrize("name", ["no_proxy", "ftp_proxy", "http_proxy"])
def test_private_addresses_are_refused_if_no_proxy_applies(site, monkeypatch, name):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv(name, "127.0.0.1")
    assert "is not a public address" in refused(f"{site.address}/a.jpg")
    assert site.asked == []


def test_an_unsupported_kind_of_proxy_is_named(monkeypatch):
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
    assert refused("http://images.example/a.jpg") == "unknown url type: socks5"


# Errors.


@pytest.mark.parametrize(
    ("status", "message"),
    [(404, "HTTP 404 Not Found"), (500, "HTTP 500 Internal Server Error"), (799, "HTTP 799")],
)
def test_an_error_status_is_reported(private, site, status, message):
    site.pages["/a.jpg"] = Page(b"<html>no</html>", status)
    assert refused(f"{site.address}/a.jpg") == message


def test_an_html_page_is_refused(private, site):
    site.pages["/a.jpg"] = Page(b"\xef\xbb\xbf\n <!DOCTYPE html><p>gone")
    assert refused(f"{site.address}/a.jpg") == "the response is a page (HTML or XML), not an image"


def test_an_image_with_the_content_type_of_html_is_accepted(private, site):
    site.pages["/a.jpg"] = Page(PICTURE, headers={"Content-Type": "text/html"})
    assert fetch.fetch(f"{site.address}/a.jpg") == PICTURE


def test_an_empty_response_is_refused(private, site):
    site.pages["/a.jpg"] = Page(b"")
    assert refused(f"{site.address}/a.jpg") == "the response is empty"


def test_unknown_hosts_and_refused_connections_are_reported(private, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert refused(f"http://127.0.0.1:{port}/a.jpg") == "Connection refused"

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert refused("http://none.invalid/a.jpg") == "no such host"


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1/a.jpg",
        "http://a..b/a.jpg",
        "http://a:b/a.jpg",
        "http://a:99999/",
        "http://a b/",
        f"http://{'a' * 64}.example/",
        "http://a\x00b.example/",
        "http:///a.jpg",
    ],
)
def test_invalid_urls_are_reported(private, url):
    assert refused(url) == "not a valid URL"


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (b"", "the connection was closed without a response"),
        (b"SSH-2.0-OpenSSH_9.2\r\n" + b"x" * 99_999, "the response is not HTTP"),
        (HEAD + b"X: " + b"x" * 99_999, "the response is not HTTP"),
        (HEAD + b"X: y\r\n" * 200 + b"\r\n", "the response is not HTTP"),
        (HEAD + b"Content-Length: 999\r\n\r\nabc", "the response is incomplete"),
        (CHUNKS + b"5\r\nab", "the response is incomplete"),
        (CHUNKS + b"zz\r\nab", "the response is incomplete"),
        (CHUNKS + b"fffffffffffffff\r\nab", "the response is incomplete"),
        (
            HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(PICTURE)[:-50],
            "the response is incomplete",
        ),
        (HEAD + b"Content-Encoding: gzip\r\n\r\nabc", "the response is incomplete"),
        (
            HEAD + b"Content-Encoding: br\r\n\r\nabc",
            "the response has an unsupported Content-Encoding",
        ),
        (HEAD + b"Content-Length: 99999999999\r\n\r\nabc", "more than 20 MB"),
    ],
)
def test_invalid_responses_are_reported(private, response, message):
    assert refused_of(lambda connection: connection.sendall(response)) == message


def test_bytes_after_the_content_length_are_ignored(private):
    response = HEAD + b"Content-Length: 3\r\n\r\nabcdef"
    with saying(lambda connection: connection.sendall(response)) as url:
        assert fetch.fetch(url) == b"abc"


def test_https_to_an_http_server_is_reported(private, site):
    url = site.address.replace("http:", "https:") + "/a.jpg"
    assert refused(url).startswith("the TLS connection failed (")


# Endless and slow responses.


def endless(head, part, pause=0.0):
    def talk(connection):
        connection.sendall(head)
        for _ in count():
            connection.sendall(part)
            time.sleep(pause)

    return talk


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (HEAD + b"\r\n", b"x" * 65536),
        (CHUNKS, b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    ],
)
def test_an_endless_body_is_refused_at_the_limit(private, head, part):
    assert refused_of(endless(head, part), limit=1_000_000) == "more than 1 MB"


def test_a_compression_bomb_is_decompressed_up_to_the_limit_only(private, site):
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packing.compress(bytes(1_000_000)) for _ in range(200)) + packing.flush()
    site.pages["/a.jpg"] = Page(bomb, headers={"Content-Encoding": "gzip"})
    tracemalloc.start()
    assert refused(f"{site.address}/a.jpg", limit=1_000_000) == "more than 1 MB"
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


MOVED = b"HTTP/1.1 302 Found\r\nLocation: /b\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "part"),
    [
        (b"", b"x"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (HEAD, b"x"),
        (HEAD + b"\r\n", b"x"),
        (CHUNKS, b"1\r\nx\r\n"),
        (CHUNKS + b"1\r\nx\r\n0\r\n", b"X: y\r\n"),
    ],
)
def test_a_slow_response_ends_at_the_deadline(private, head, part):
    began = time.monotonic()
    message = refused_of(endless(head, part, pause=0.05), timeout=0.6)
    assert message == "not complete within 0.6 s"
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_silent_server_is_left_at_the_deadline(private, scheme):
    with saying(lambda connection: time.sleep(6)) as url:
        began = time.monotonic()
        assert refused(url.replace("http", scheme), timeout=0.5) == "not complete within 0.5 s"
        assert time.monotonic() - began < 3


def test_redirects_share_one_deadline_and_their_bodies_are_not_read(private):
    def talk(connection):
        time.sleep(0.25)
        endless(MOVED, b"x" * 65536)(connection)

    began = time.monotonic()
    assert refused_of(talk, timeout=0.6) == "not complete within 0.6 s"
    assert time.monotonic() - began < 3


def test_the_host_name_of_a_url():
    assert fetch.host("https://Ann:pw@Images.Example:8080/a.jpg") == "images.example"
    assert fetch.host("http://[::1/a.jpg") == ""
