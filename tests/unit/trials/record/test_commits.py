import threading

import pytest

from readbench.trials.record.commits import Commits


def test_commits_happen_in_order_and_are_all_done_on_leaving() -> None:
    done: list[int] = []
    gate = threading.Event()

    def slow() -> None:
        gate.wait(10)
        done.append(0)

    with Commits() as commits:
        commits.submit(slow)
        assert done == []  # the work goes on while the disk writes
        gate.set()
        for number in range(1, 5):
            commits.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    assert done == [0, 1, 2, 3, 4]


def test_a_commit_that_fails_stops_the_work_at_the_next_one() -> None:
    def full() -> None:
        raise OSError("no space left")

    commits = Commits()
    commits.submit(full)
    with pytest.raises(OSError, match="no space"):
        commits.submit(lambda: pytest.fail("a later commit must not follow a failed one"))


def test_the_last_commit_s_failure_is_not_lost() -> None:
    def full() -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"), Commits() as commits:
        commits.submit(full)


def test_a_report_follows_the_last_commit_while_the_work_goes_on() -> None:
    done: list[str] = []
    gate = threading.Event()

    def slow() -> None:
        gate.wait(10)
        done.append("commit")

    with Commits() as commits:
        commits.submit(slow)
        commits.follow(lambda: done.append("report"))
        assert done == []
        gate.set()
    assert done == ["commit", "report"]


def test_nothing_is_reported_behind_a_commit_that_fails() -> None:
    def full() -> None:
        raise OSError("no space left")

    def work() -> None:
        with Commits() as commits:
            commits.submit(full)
            commits.follow(lambda: pytest.fail("it was not committed"))

    with pytest.raises(OSError, match="no space"):
        work()


def test_a_report_needs_no_commit() -> None:
    done: list[str] = []
    with Commits() as commits:
        commits.follow(lambda: done.append("report"))
    assert done == ["report"]
