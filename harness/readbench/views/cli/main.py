"""The command line's entry: the commands, and what every one of them does about errors.

stdout carries a command's output, stderr is for people. Exit codes: 0 done, 1 regression, 2 usage or configuration, 3
inconclusive (where that is to fail), 4 incomplete run, 5 surroundings (extension, dependency, device, disk), 70 an unexpected
error, 130 interrupted and resumable, 141 the reader of a pipe is gone. A user's mistake costs one line; ``--debug``, anywhere on
the command line, shows the traceback as well. Nothing heavy is imported before a command runs.
"""

import io
import os
import sys
import traceback
from collections.abc import Sequence

import typer

from readbench.base.errors import ConfigError, ReadbenchError
from readbench.models.ranks import placed
from readbench.views.cli import (
    check,
    compare,
    doctor,
    evaluate,
    explain,
    lab,
    pilot,
    plan,
    report,
    requirement,
    results,
    resume,
    run,
    simulate,
    suite,
    transfer,
)
from readbench.views.cli import list as listing
from readbench.views.cli.endings import EXIT_INTERRUPTED, UsageError, closed_pipe, failed, unexpected
from readbench.views.cli.reading import COMPLETION, Once

app = typer.Typer(
    name="readbench",
    help="Distils a student model under a fixed token budget, and measures which allocation of it pays.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    *(run.run, resume.resume, plan.plan, results.results, evaluate.evaluate, compare.compare, check.check, report.report),
    *(explain.explain, simulate.simulate, pilot.pilot, transfer.transfer, doctor.doctor),
):
    app.command(cls=Once)(command)
app.command("list", cls=Once)(listing.list_plugins)
app.add_typer(requirement.app, name="requirement")
app.add_typer(suite.app, name="suite")
app.add_typer(lab.app, name="lab")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"readbench {version('readbench')}\n")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    *,
    show_version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version and exit."),  # noqa: ARG001
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error; may appear anywhere."),  # noqa: ARG001
) -> None:
    """Options of every command; `main` has acted on them before."""
    if context.invoked_subcommand not in ("run", "resume") and placed()[1] > 1:
        raise ConfigError("several ranks train one student together, in run and resume alone", hint="start it without torchrun")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if COMPLETION in os.environ:  # the shell asks what may come next
        app(given, prog_name="readbench")
    debug = "--debug" in given
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Unicode gets escapes, not a crash
    try:
        code = app([a for a in given if a != "--debug"] or ["--help"], prog_name="readbench", standalone_mode=False)
    except BrokenPipeError:
        return closed_pipe()
    except (ReadbenchError, UsageError, OSError) as error:
        if debug:
            traceback.print_exc()
        return failed(error)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    except (Exception, SystemExit) as error:
        if isinstance(error.__context__, BrokenPipeError):  # rich and typer exit so when the reader of their output is gone
            return closed_pipe()
        if debug:
            traceback.print_exc()
        return unexpected(error)
    return int(code or 0)


if __name__ == "__main__":
    sys.exit(main())
