import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.forward.url import Url, parse_url


@pytest.mark.parametrize(
    ("text", "url", "authority"),
    [
        ("http://gpu-1:9001/predict", Url("http", "gpu-1", 9001, "/predict"), "gpu-1:9001"),
        ("HTTPS://GPU.example", Url("https", "gpu.example", 443, "/"), "gpu.example"),
        ("http://gpu.example?a=b", Url("http", "gpu.example", 80, "/?a=b"), "gpu.example"),
        ("https://[FD12::0:1]:8443/a%20b?c", Url("https", "fd12::1", 8443, "/a%20b?c"), "[fd12::1]:8443"),
        ("http://10.0.0.1:80/", Url("http", "10.0.0.1", 80, "/"), "10.0.0.1"),
        ("http://xn--bcher-kva.example/", Url("http", "xn--bcher-kva.example", 80, "/"), "xn--bcher-kva.example"),
    ],
)
def test_plain_urls(text: str, url: Url, authority: str) -> None:
    assert parse_url(text) == url
    assert url.authority == authority
    assert parse_url(str(url)) == url


@given(st.text(max_size=60) | st.text(max_size=60).map(lambda text: "http://" + text))
def test_anything_else_is_a_value_error(text: str) -> None:
    try:
        url = parse_url(text)
    except ValueError:
        return
    assert str(url).isascii()
    assert parse_url(str(url)) == url


@pytest.mark.parametrize("text", ["http://\u212aube.example/", "http\u017f://a.example/", "http://a.example/\u212a"])
def test_letters_that_only_look_like_ascii(text: str) -> None:
    """The Kelvin sign and the long s are equal to k and s when case is ignored."""
    with pytest.raises(ValueError):
        parse_url(text)
