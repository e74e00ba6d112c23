import pytest

from stacks.dashboard_configuration import dashboard_configuration
from trading.errors import ConfigurationError

CERTIFICATE = "arn:aws:acm:us-east-1:123456789012:certificate/11111111-2222-3333-4444-555555555555"
DOMAIN = "dashboard.trading.example"


def test_without_a_word_there_is_no_front_door_and_the_day_is_new_yorks() -> None:
    found = dashboard_configuration({})
    assert (found.domain, found.certificate, found.nat) == (None, None, False)
    assert (found.opens, found.closes, found.timezone) == ("07:00", "21:00", "America/New_York")


def test_a_domain_comes_with_its_certificate() -> None:
    found = dashboard_configuration({"domain": DOMAIN, "certificate": CERTIFICATE})
    assert (found.domain, found.admitted) == (DOMAIN, ("0.0.0.0/0",))
    for half in ({"domain": DOMAIN}, {"certificate": CERTIFICATE}):
        with pytest.raises(ConfigurationError, match="give both or neither"):
            dashboard_configuration(half)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "must be a mapping"),
        ("dashboard", "must be a mapping"),
        (None, "must be a mapping"),
        ({"domian": DOMAIN}, "trading:dashboard.domian"),
        ({"domain": "https://x.example", "certificate": CERTIFICATE}, "trading:dashboard.domain"),
        ({"domain": "Ünïcode.example", "certificate": CERTIFICATE}, "trading:dashboard.domain"),
        ({"domain": DOMAIN, "certificate": "arn:aws:iam::1:x"}, "trading:dashboard.certificate"),
        ({"opens": "7:00"}, "trading:dashboard.opens"),
        ({"opens": "24:00"}, "trading:dashboard.opens"),
        ({"opens": 7}, "trading:dashboard.opens"),
        ({"opens": "21:00", "closes": "07:00"}, "must open"),
        ({"opens": "07:00", "closes": "07:00"}, "must open"),
        ({"timezone": "Atlantis/Centre"}, "there is no time zone Atlantis/Centre"),
        ({"admitted": []}, "trading:dashboard.admitted"),
        ({"admitted": ["10.0.0.1/8"]}, "has host bits set"),
        ({"admitted": ["::/0"]}, "trading:dashboard.admitted"),
        ({"nat": "perhaps"}, "trading:dashboard.nat"),
    ],
)
def test_what_is_wrong_is_named(given: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        dashboard_configuration(given)
    assert "\n" not in str(raised.value)
