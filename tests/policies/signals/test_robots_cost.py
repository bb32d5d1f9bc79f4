"""What a hostile robots.txt may cost: bounds that hold, and what they leave to honest files."""

from __future__ import annotations

import time

from policies.signals.robots import parse_robots
from policies.signals.robots_groups import MOST_LINES

OURS = "ExampleBot"
HOST = "https://example.com"


def rules_of(*lines: str):
    return parse_robots("\n".join(("User-agent: *", *lines)).encode())


def test_more_search_than_the_bound_is_refused_and_explained():
    rules = rules_of(*(f"Disallow: /*{'a' * 30}x{number}" for number in range(9_000)))
    answer = rules.judge(OURS, f"{HOST}/{'a' * 5_000}")
    assert not answer.allowed
    assert "too many wildcards" in answer.explanation
    assert rules.judge(OURS, f"{HOST}/{'a' * 100}").allowed
    assert not rules.judge(OURS, f"{HOST}/{'a' * 50}x77").allowed


def test_many_wildcards_that_a_long_url_does_not_resemble_are_answered():
    rules = rules_of(*(f"Disallow: /*x{number}" for number in range(10_000)))
    assert rules.judge(OURS, f"{HOST}/{'a' * 20_000}").allowed
    assert rules.judge(OURS, f"{HOST}/{'a' * 20_000}x9999").line == 10_001
    assert "too many wildcards" in rules.judge(OURS, f"{HOST}/{'a' * 100_000}").explanation


def test_a_literal_that_nearly_matches_everywhere_costs_no_more_than_the_bound():
    near = f"{'a' * 50}b{'a' * 49}"
    rules = rules_of(*(f"Disallow: /*{near}{number}" for number in range(4_000)))
    started = time.process_time()
    assert not rules.judge(OURS, f"{HOST}/{'a' * 25_000}").allowed
    assert time.process_time() - started < 2


def test_agents_of_the_same_groups_share_what_is_compiled_and_each_cites_its_own_name():
    names = [f"User-agent: bot{chr(97 + number)}" for number in range(20)]
    rules = parse_robots("\n".join((*names, "Disallow: /*a", "Disallow: /b")).encode())
    answers = [rules.judge(f"bot{chr(97 + number)}", f"{HOST}/b") for number in range(20)]
    assert [(one.line, one.group, one.group_line) for one in answers] == [
        (22, f"bot{chr(97 + number)}", number + 1) for number in range(20)
    ]
    assert len(rules._compiled) == 1


def test_blank_lines_are_counted_for_the_line_numbers_and_not_for_the_bound():
    blank = b"\n \t\n\r\n" * (MOST_LINES // 2)
    rules = parse_robots(blank + b"User-agent: *\n" + blank + b"Disallow: /\n")
    assert not rules.problem
    answer = rules.judge(OURS, f"{HOST}/")
    assert (answer.line, answer.group_line) == (3 * MOST_LINES + 2, 3 * MOST_LINES // 2 + 1)


def test_one_line_more_than_the_bound_makes_a_file_unreadable():
    lines = ["x: y"] * (MOST_LINES - 1)
    assert not rules_of(*lines).problem
    over = rules_of(*lines, "Allow: /")
    assert over.problem
    assert not over.judge(OURS, f"{HOST}/").allowed
