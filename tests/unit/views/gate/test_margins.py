from pathlib import Path

import pytest

from readbench.base.errors import ConfigError
from readbench.suites.metric_names import metrics_of
from readbench.views.gate.margins import CheckSettings, read_settings, resolve_margins

KNOWN = metrics_of(("math", "code"))
NONE = (CheckSettings(), "default")


def resolved(
    *, suite: dict[str, float] | None = None, settings: CheckSettings | None = None, flags: tuple[str, ...] = (), metrics: str | None = None
) -> dict[str, tuple[float, str]]:
    layer = NONE if settings is None else (settings, "pyproject.toml")
    margins = resolve_margins(KNOWN, suite=suite or {}, settings=layer, flags=flags, metrics=metrics)
    return {margin.metric.name: (margin.delta, margin.origin) for margin in margins}


def test_without_any_margin_utility_is_gated() -> None:
    assert resolved() == {"utility": (0.02, "default")}


def test_flags_go_over_pyproject_over_the_suite_metric_by_metric() -> None:
    margins = resolved(
        suite={"utility": 0.01, "auc": 0.02, "waste": 0.03},
        settings=CheckSettings(margins={"auc": 0.04, "profile.math": 0.05}),
        flags=("waste=0.06", "profile.code = 7e-2"),
    )
    assert margins == {
        "utility": (0.01, "suite"),
        "profile.math": (0.05, "pyproject.toml"),
        "profile.code": (0.07, "--margin"),
        "waste": (0.06, "--margin"),
        "auc": (0.04, "pyproject.toml"),
    }


def test_a_list_of_metrics_narrows_what_has_a_margin_and_the_flag_goes_over_the_setting() -> None:
    suite = {"utility": 0.01, "auc": 0.02}
    assert resolved(suite=suite, metrics=" auc, ").keys() == {"auc"}
    settings = CheckSettings(metrics=("auc",))
    assert resolved(suite=suite, settings=settings).keys() == {"auc"}
    assert resolved(suite=suite, settings=settings, metrics="utility").keys() == {"utility"}


@pytest.mark.parametrize("text", ["utility", "utility=", "utility=x", "utility=0", "utility=-0.1", "utility=nan", "utility=inf", "=0.1"])
def test_a_margin_that_is_none_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match="--margin") as error:
        resolved(flags=(text,))
    assert "\n" not in str(error.value)


def test_what_is_no_margin_says_how_one_is_written() -> None:
    with pytest.raises(
        ConfigError, match=r"^--margin 'auc=x' is not of the form METRIC=DELTA with DELTA above 0; .*--margin utility=0.02$"
    ):
        resolved(flags=("auc=x",))


def test_of_two_flags_for_one_metric_the_last_counts() -> None:
    assert resolved(flags=("auc=0.5", "auc=0.25"))["auc"] == (0.25, "--margin")


def test_a_suite_with_margins_has_no_default_and_a_layer_above_it_keeps_it() -> None:
    assert resolved(suite={"auc": 0.01}) == {"auc": (0.01, "suite")}
    assert resolved(settings=CheckSettings(margins={"auc": 0.01})) == {"utility": (0.02, "default"), "auc": (0.01, "pyproject.toml")}


def test_an_unknown_metric_names_its_layer_and_the_near_match() -> None:
    with pytest.raises(ConfigError, match=r"--margin: unknown metric 'utilitty'; did you mean 'utility'"):
        resolved(flags=("utilitty=0.1",))
    with pytest.raises(ConfigError, match=r"pyproject.toml: unknown metric 'profile.maths'; did you mean 'profile.math'"):
        resolved(settings=CheckSettings(margins={"profile.maths": 0.1}))
    with pytest.raises(ConfigError, match=r"--metrics: unknown metric 'ac'"):
        resolved(metrics="ac")
    with pytest.raises(ConfigError, match=r"suite: unknown metric 'ac'"):
        resolved(suite={"ac": 0.1})
    with pytest.raises(ConfigError, match=r"pyproject.toml: unknown metric 'ac'"):
        resolved(settings=CheckSettings(metrics=("utility", "ac")))


def test_a_metric_without_a_margin_cannot_be_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"--metrics: metric 'waste' has no margin; .*--margin waste=0.02"):
        resolved(metrics="waste")
    with pytest.raises(ConfigError, match=r"pyproject.toml: metric 'waste' has no margin"):
        resolved(settings=CheckSettings(metrics=("waste",)))
    with pytest.raises(ConfigError, match="--metrics: no metric is named"):
        resolved(metrics=" , ")
    with pytest.raises(ConfigError, match=r"pyproject.toml: no metric is named"):
        resolved(settings=CheckSettings(metrics=()))


def test_settings_come_from_the_nearest_pyproject_that_has_them(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(
        "[tool.readbench.check]\nmetrics = ['utility']\ninconclusive = 'fail'\n"
        "[tool.readbench.check.margins]\nutility = 1\nprofile.math = 0.5\n'profile.code' = 0.25\n"
    )
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    settings, where = read_settings(inner)
    assert settings == CheckSettings(
        margins={"utility": 1.0, "profile.math": 0.5, "profile.code": 0.25}, metrics=("utility",), inconclusive="fail"
    )
    assert where == f"{tmp_path / 'pyproject.toml'} [tool.readbench.check]"


def test_the_nearest_settings_hide_those_above(tmp_path: Path) -> None:
    inner = tmp_path / "a"
    inner.mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.readbench.check]\ninconclusive = 'fail'\n")
    (inner / "pyproject.toml").write_text("[tool.readbench]\n")
    assert read_settings(inner) == (CheckSettings(), f"{inner / 'pyproject.toml'} [tool.readbench.check]")
    assert read_settings(tmp_path)[0].inconclusive == "fail"


@pytest.mark.parametrize("text", ["", "tool = 3\n", "[project]\nname = 'x'\n", "[tool.ruff]\n"])
def test_a_pyproject_that_says_nothing_of_readbench_is_passed_by(tmp_path: Path, text: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.readbench.check]\nmetrics = ['auc']\n")
    (tmp_path / "a" / "pyproject.toml").write_text(text)
    assert read_settings(tmp_path / "a")[0].metrics == ("auc",)
    (tmp_path / "pyproject.toml").unlink()
    assert read_settings(tmp_path / "a")[0] == CheckSettings(margins={}, metrics=None, inconclusive="warn")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tool.readbench]\nother = 1\n[tool.readbench.check.margins]\nutility = 0.1", "unknown setting 'other'"),
        ("[tool.readbench.check]\nmargin = 1\n[tool.readbench.check.margins]\nutility = 0.1", "unknown setting 'check.margin'"),
        ("[tool.readbench.check.margins]\nprofile.math = -0.1", "check.margins.profile.math"),
        ("[tool.readbench.check]\nmargin = {}", "unknown setting 'check.margin'; did you mean 'margins'"),
        ("[tool.readbench.checks]", "unknown setting 'checks'; did you mean 'check'"),
        ("[tool.readbench.check.margins]\n" + ".".join("a" * 40) + " = 1", "nested deeper than"),
        ("[tool.readbench.check]\nmargins = {utility = 0}", "check.margins.utility"),
        ("[tool.readbench.check]\nmargins = {utility = nan}", "not a finite number"),
        ("[tool.readbench.check]\nmargins = {utility = 'much'}", "check.margins.utility"),
        ("[tool.readbench.check]\nmargins = 3", "check.margins"),
        ("[tool.readbench.check]\ninconclusive = 'maybe'", "check.inconclusive"),
        ("[tool.readbench.check]\nmetrics = 'utility'", "check.metrics"),
        ("[tool]\nreadbench = 3", r"\[tool.readbench\]"),
        ("[tool", "is not valid TOML"),
    ],
)
def test_a_mistake_in_pyproject_is_one_line_that_names_the_file(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(ConfigError, match=said) as error:
        read_settings(tmp_path)
    assert str(tmp_path / "pyproject.toml") in str(error.value)
    assert "\n" not in str(error.value)
