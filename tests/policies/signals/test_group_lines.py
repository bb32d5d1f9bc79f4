"""Lines of robots.txt beside the rules: whose they are, which path they hold for, and what is wrong with them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.ai_agents import AiAgentsError, load_ai_agents, parse_ai_agents
from policies.signals.clock_window import Window, parse_window
from policies.signals.content_signal import in_force, parse_signal_header, parse_signals, read_content_signals
from policies.signals.content_usage import (
    LINES_READ,
    SEARCH,
    TRAIN_AI,
    parse_preference,
    parse_usage_header,
    read_usage_preferences,
    stance_on,
)
from policies.signals.peer_blocks import AiUse, read_peer_blocks
from policies.signals.request_rate import parse_rate, read_request_rates
from policies.signals.robots import parse_robots
from policies.signals.robots_groups import MOST_LINES
from policies.signals.robots_noindex import read_ai_prohibitions, read_noindex
from policies.signals.statement import Problem, Source, Stance
from policies.signals.visit_time import read_visit_times

TOKEN = "ExampleBot"
HOUR = 3_600_000_000
DAY = 24 * HOUR
ANY_OCTETS = st.binary(max_size=400)


def preferences(text, token=TOKEN):
    return read_usage_preferences(parse_robots(text.encode()), token)


def said(statements, use=TRAIN_AI):
    return stance_on(use, statements)


def header(*values):
    return parse_usage_header(values)


def signals(text, token=TOKEN):
    return in_force(read_content_signals(parse_robots(text.encode()), token))


def by_use(statements):
    return {one.use: (one.stance, one.detail) if one.use == "use" else one.stance for one in statements}


# Content-Usage


def test_the_worked_example_of_the_attachment_draft_reads_as_the_draft_says():
    text = (
        "User-Agent: *\nAllow: /\nDisallow: /never/\nContent-Usage: train-ai=n\n"
        "Content-Usage: /ai-ok/ train-ai=y\n\nUser-Agent: Other\nAllow: /\nContent-Usage: train-ai=y\n"
    )
    rules = parse_robots(text.encode())
    found = read_usage_preferences(rules, TOKEN)
    assert rules.judge(TOKEN, "https://example.com/test").allowed
    assert said(found.at("/test")) is Stance.DENY
    assert not rules.judge(TOKEN, "https://example.com/never/test").allowed
    assert rules.judge(TOKEN, "https://example.com/ai-ok/test").allowed
    assert said(found.at("/ai-ok/test")) is Stance.ALLOW
    assert [one.line for one in found.at("/ai-ok/test")] == [5]
    other = read_usage_preferences(rules, "Other")
    assert said(other.at("/test")) is said(other.at("/ai-ok/test")) is Stance.ALLOW


def test_case_37_the_longest_path_wins_and_identical_paths_refuse():
    found = preferences("User-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /x/ train-ai=y\n")
    assert said(found.at("/x/1")) is Stance.ALLOW
    assert said(found.at("/y")) is Stance.DENY
    for lines in ("y\nContent-Usage: /x/ train-ai=n", "n\nContent-Usage: /x/ train-ai=y"):
        found = preferences(f"User-agent: *\nContent-Usage: /x/ train-ai={lines}\n")
        assert said(found.at("/x/1")) is Stance.DENY
        assert said(found.at("/")) is Stance.UNKNOWN


@pytest.mark.parametrize(
    "value",
    ["train-ai=n, train-ai", "Train-AI=n", 'train-ai="n"', "train-ai=?0", "train-ai=no", "train-ai=N",
     "train-ai", "train-ai=?1", "train-ai=(n)", "train-ai=n,", "train-ai = n", "search=y, Train-ai=n"],
)  # fmt: skip
def test_case_38_what_is_neither_y_nor_n_is_unknown_and_logged_as_malformed(value):
    for statements in (header(value), preferences(f"User-agent: *\nContent-Usage: {value}\n").at("/")):
        assert said(statements) is Stance.UNKNOWN
        assert Problem.MALFORMED in {one.problem for one in statements}
        assert all(one.detail for one in statements if one.problem)


def test_parameters_say_nothing_and_the_last_of_a_repeated_key_holds():
    assert said(header("train-ai;allow=n, train-ai=y")) is Stance.ALLOW
    assert said(header("train-ai=y, train-ai=n;x=1")) is Stance.DENY


def test_case_39_a_word_of_another_vocabulary_is_never_a_statement():
    found = header("ai-train=n, genai=y, search=y")
    assert said(found) is Stance.UNKNOWN
    assert said(found, SEARCH) is Stance.ALLOW
    assert [one.problem for one in found] == [Problem.UNKNOWN_LABEL, Problem.UNKNOWN_LABEL, Problem.NONE]
    (signal,) = parse_signals("train-ai=no", source=Source.HEADER)
    assert (signal.stance, signal.problem) == (Stance.UNKNOWN, Problem.UNKNOWN_LABEL)


def test_case_40_several_header_lines_are_one_dictionary_and_places_combine_to_a_refusal():
    assert said(header("train-ai=n", "train-ai=y")) is Stance.ALLOW  # the last duplicate key wins
    assert said(header("search=y", "train-ai=n")) is Stance.DENY
    robots = preferences("User-agent: *\nContent-Usage: train-ai=n\n").at("/")
    assert said((*robots, *header("train-ai=y"))) is Stance.DENY


def test_case_41_a_line_in_another_agents_group_is_not_ours():
    text = "User-agent: OtherBot\nContent-Usage: train-ai=n\nAllow: /\n\nUser-agent: ExampleBot\nAllow: /\n"
    assert not preferences(text)
    assert said(preferences(text, "OtherBot").at("/")) is Stance.DENY


def test_a_longer_path_that_is_silent_about_a_use_does_not_lift_its_refusal():
    for silent in ("search=y", "train-ai=maybe", "Train-AI=y"):
        found = preferences(f"User-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /x/ {silent}\n")
        assert said(found.at("/x/1")) is Stance.DENY


def test_paths_match_as_rules_do_and_an_unreadable_address_is_refused():
    text = "User-agent: *\nContent-Usage: /a%7e*/b$ train-ai=n\nContent-Usage:\t/ツ\ttrain-ai=n\n"
    found = preferences(text)
    assert said(found.at("/a~x/b")) is Stance.DENY
    assert said(found.at("/a~x/bc")) is Stance.UNKNOWN
    assert said(found.at("/%E3%83%84")) is Stance.DENY
    assert said(found.at(None)) is Stance.DENY


def test_a_refusal_before_any_group_counts_and_a_permission_there_does_not():
    found = preferences("Content-Usage: train-ai=n, search=y\nUser-agent: *\nAllow: /\n").at("/")
    assert by_use(found) == {TRAIN_AI: Stance.DENY}
    assert [one.problem for one in found] == [Problem.MISPLACED]


def test_a_refusal_behind_the_lines_that_are_read_in_full_counts_still():
    filler = "".join(f"Content-Usage: /{number} x{number}=y\n" for number in range(LINES_READ))
    text = f"User-agent: *\n{filler}Content-Usage: /z a=1;b, train-ai=n\nContent-Usage: /y train-ai=nn\n"
    found = preferences(text)
    assert said(found.at("/z")) is Stance.DENY
    assert found.at("/z")[0].problem is Problem.BEYOND_LIMIT
    assert said(found.at("/y")) is Stance.UNKNOWN


@given(octets=ANY_OCTETS)
def test_a_preference_of_any_octets_is_read_without_raising_and_says_only_the_vocabulary(octets):
    for one in parse_preference(octets, source=Source.HEADER):
        assert one.stance is Stance.UNKNOWN or one.use in {TRAIN_AI, SEARCH}


@given(
    lines=st.lists(
        st.tuples(st.sampled_from(["", "/", "/a", "/a/b", "/*b"]), st.sampled_from(["y", "n"])), max_size=6
    ),
    path=st.sampled_from(["/", "/a", "/a/b", "/c/b"]),
    where=st.randoms(use_true_random=False),
)
def test_the_order_of_the_lines_carries_no_meaning(lines, path, where):
    def read(rows):
        body = "".join(f"Content-Usage: {prefix} train-ai={value}\n" for prefix, value in rows)
        return said(preferences(f"User-agent: *\n{body}").at(path))

    shuffled = lines.copy()
    where.shuffle(shuffled)
    assert read(lines) is read(shuffled)


# Content-Signal


@pytest.mark.parametrize(
    "field", ["Content-Signal: ", "Content-signal: ", "content-signal:", "CONTENT-SIGNAL :\t"]
)
@pytest.mark.parametrize(
    "value", ["search=yes, ai-train=no", "search=yes,ai-train=no", "ai-train = NO search=Yes",
              "SEARCH=yes; AI-Train='no'", "/path ai-train=no,search=yes"],
)  # fmt: skip
def test_signals_are_read_whatever_their_case_and_blanks(field, value):
    found = by_use(signals(f"User-agent: *\n{field}{value}\nAllow: /\n"))
    assert found == {"search": Stance.ALLOW, "ai-train": Stance.DENY}


@pytest.mark.parametrize("order", [("yes", "no"), ("no", "yes")])
def test_case_43_contradictory_repeats_come_to_no(order):
    first, second = order
    text = f"User-agent: *\nContent-Signal: ai-train={first}\n\nUser-agent: *\nContent-Signal: ai-train={second}\n"
    (found,) = signals(text)
    assert found.stance is Stance.DENY
    assert found.line == 2 + 3 * order.index("no")
    assert by_use(in_force(parse_signal_header([f"ai-train={first}, ai-train={second}"]))) == {
        "ai-train": Stance.DENY
    }


def test_the_lowest_level_of_consumption_holds():
    found = by_use(
        signals("User-agent: *\nContent-Signal: use=full, use=reference\nContent-Signal: use=full\n")
    )
    assert found == {"use": (Stance.DENY, "reference")}
    assert by_use(signals("User-agent: *\nContent-Signal: use=full\n")) == {"use": (Stance.ALLOW, "full")}


def test_a_signal_with_a_value_that_is_no_word_says_nothing_and_is_logged():
    for value in ("ai-train=n", "ai-train=", "use=some", "ai-train=ye"):
        (found,) = in_force(parse_signal_header([value]))
        assert (found.stance, found.problem) == (Stance.UNKNOWN, Problem.MALFORMED)


@given(text=st.text(max_size=300))
def test_signals_of_any_text_are_read_without_raising(text):
    statements = parse_signals(text, source=Source.HEADER)
    assert len(in_force(statements)) <= 5


def test_case_13_a_signal_between_user_agent_lines_leaves_one_group():
    for line in ("Content-Signal: ai-train=no", "Content-Usage: train-ai=n", "License: https://e.com/l.xml"):
        text = f"User-agent: OtherBot\n{line}\nUser-agent: ExampleBot\nDisallow: /x\n"
        rules = parse_robots(text.encode())
        assert rules.group_count == 1
        assert not rules.judge(TOKEN, "https://example.com/x").allowed
    found = signals(
        "User-agent: OtherBot\nContent-Signal: ai-train=no\nUser-agent: ExampleBot\nDisallow: /x\n"
    )
    assert by_use(found) == {"ai-train": Stance.DENY}


def test_case_14_a_prepended_group_of_everybody_is_merged_with_the_sites_own():
    text = (
        "User-agent: *\nContent-Signal: search=yes,ai-train=no\nAllow: /\n\nUser-agent: GPTBot\nDisallow: /\n\n"
        "User-agent: *\nDisallow: /private/\n"
    )
    assert by_use(signals(text)) == {"search": Stance.ALLOW, "ai-train": Stance.DENY}
    assert not parse_robots(text.encode()).judge(TOKEN, "https://example.com/private/").allowed


# Visit-time and Request-rate


def hours(text, token=TOKEN):
    return read_visit_times(parse_robots(text.encode()), token)


def test_case_36_a_window_across_midnight_is_open_on_both_sides_of_it():
    times = hours("User-agent: *\nVisit-time: 2300-0500\n")
    assert [times.is_open(20_000 * DAY + hour * HOUR) for hour in (22, 23, 0, 4, 5, 12)] == [
        False, True, True, True, False, False,
    ]  # fmt: skip
    assert times.next_opening(20_000 * DAY + 12 * HOUR) == 20_000 * DAY + 23 * HOUR
    assert times.next_opening(20_000 * DAY + 1) == 20_000 * DAY + 1


@pytest.mark.parametrize(
    ("value", "window"),
    [(b"0600-0845", (360, 525)), (b"06:00 - 08:45 UTC", (360, 525)), (b"0000-2400", (0, 0)),
     (b"2300-0500", (1380, 300)), (b"600-700", (360, 420)), (b"2500-0100", None), (b"0660-0700", None),
     (b"", None), (b"always", None), (b"0600-08451", None)],
)  # fmt: skip
def test_windows_are_read_in_utc_minutes(value, window):
    found = parse_window(value)
    assert ((found.start, found.end) if found else None) == window


@given(start=st.integers(0, 1439), end=st.integers(0, 1439), now=st.integers(0, 3 * DAY))
def test_a_window_begins_when_it_says_and_ends_when_it_says(start, end, now):
    window = Window(start=start, end=end)
    begin, over = window.next_start(now), window.next_end(now)
    assert now <= begin < now + DAY
    assert now < over <= now + DAY
    assert window.holds(begin)
    assert start == end or (not window.holds(over) and window.holds(over - 1))


def test_windows_of_one_group_are_alternatives_and_groups_must_agree():
    one = hours("User-agent: *\nVisit-time: 0100-0200\nVisit-time: 1300-1400\n")
    assert [one.is_open(hour * HOUR) for hour in (1, 2, 13)] == [True, False, True]
    both = hours(
        "User-agent: *\nVisit-time: 0100-0500\nDisallow:\n\nUser-agent: *\nDisallow:\nVisit-time: 0300-0600\n"
    )
    assert [both.is_open(hour * HOUR) for hour in (1, 3, 5)] == [False, True, False]
    never = hours(
        "User-agent: *\nVisit-time: 0100-0200\nDisallow:\n\nUser-agent: *\nDisallow:\nVisit-time: 0300-0400\n"
    )
    assert never.next_opening(0) is None
    assert not hours("User-agent: *\nVisit-time: soon\n")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"1/10", 10), (b"1/10s", 10), (b"1/10m", 600), (b"1/2h", 7200), (b"24/1d", 3600), (b"2/1", 0.5),
     (b"1 / 10 m", 600), (b"1/m", 60), (b"1/10minutes", 600), (b"1/5 0600-0845", 5), (b"ten", None),
     (b"1/10x", None), (b"/10", None), (b"1/", None), (b"-1/5", None)],
)  # fmt: skip
def test_rates_are_read_as_seconds_between_requests(value, seconds):
    assert parse_rate(value) == seconds


def test_the_lowest_rate_that_holds_now_counts():
    text = "User-agent: *\nRequest-rate: 1/5\nRequest-rate: 1/10m 0600-0845\nRequest-rate: 1/7\n"
    rates = read_request_rates(parse_robots(text.encode()), TOKEN)
    assert rates.slowest(7 * HOUR).seconds == 600
    assert rates.slowest(9 * HOUR).seconds == 7
    none = read_request_rates(parse_robots(b"User-agent: *\nRequest-rate: 0/1\n"), TOKEN)
    assert none.slowest(0).seconds > 1e300


# Noindex, lines against AI use, other AI agents


def test_noindex_lines_name_paths_and_lines_against_ai_use_are_recognised():
    text = (
        "User-agent: *\nNoindex: /x\nNoindex: *.pdf$\nNoindex:\nNoindex: y\nDisallowAITraining: /\n"
        "No-AI: no\nDisallow: /q\nUser-agent: OtherBot\nNoindex: /z\n"
    )
    rules = parse_robots(text.encode())
    table = read_noindex(rules, TOKEN)
    assert table.decide("/x1").line == 2
    assert table.decide("/a.pdf").line == 3
    assert table.decide("/z") is None
    assert read_ai_prohibitions(rules, TOKEN).decide("/any").line == 6
    assert not read_ai_prohibitions(parse_robots(b"User-agent: *\nNo-AI: no\nDisallowAITraining:\n"), TOKEN)


def refused(text, url="https://example.com/a", use=AiUse.TRAINING, token=TOKEN):
    found = read_peer_blocks(parse_robots(text.encode()), token, load_ai_agents()).refused(use, url)
    return [peer.agent.token for peer in found]


def test_a_class_is_shut_out_when_two_operators_are_and_our_agent_is_not_named():
    both = "User-agent: GPTBot\nUser-agent: CCBot/2.0\nDisallow: /a\n"
    assert refused(both) == ["CCBot", "GPTBot"]
    assert refused(both, "https://example.com/b") == []
    assert refused(both, use=AiUse.ANSWERS) == []
    assert refused("User-agent: GPTBot\nDisallow: /\n") == []
    assert refused("User-agent: ClaudeBot\nUser-agent: anthropic-ai\nDisallow: /\n") == []
    assert refused(both + "User-agent: ExampleBot\nAllow: /\n") == []
    assert refused(both + "User-agent: ExampleBot-News\nAllow: /\n") == ["CCBot", "GPTBot"]


def test_a_class_of_which_more_are_let_in_than_kept_out_is_not_shut_out():
    kept_out = "User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /\n"
    let_in = "User-agent: {}\nAllow: /\n"
    two = kept_out + "".join(let_in.format(name) for name in ("ClaudeBot", "Bytespider"))
    assert refused(two) == ["CCBot", "GPTBot"]
    assert refused(two + let_in.format("Amazonbot")) == []


def test_names_that_are_no_product_tokens_are_found_as_written():
    assert set(refused("User-agent: AI2Bot\nUser-agent: kangaroo bot\nDisallow: /\n")) == {
        "AI2Bot", "Kangaroo Bot",
    }  # fmt: skip


def test_the_list_of_ai_agents_is_complete_and_a_broken_one_is_refused():
    agents = load_ai_agents()
    assert {agent.use for agent in agents} == set(AiUse)
    assert len({agent.token.lower() for agent in agents}) == len(agents) > 50
    entry = '[[agent]]\ntoken = "A"\noperator = "B"\nuse = "training"\n'
    good = f'schema = "sekisho.ai-agents/1"\n{entry}'
    assert [agent.token for agent in parse_ai_agents(good)] == ["A"]
    for bad in ("", "x", good + entry, good.replace("/1", "/9"), good.replace("training", "fun"), good[:30]):
        with pytest.raises(AiAgentsError, match=r"ai_agents\.toml"):
            parse_ai_agents(bad)


@given(octets=ANY_OCTETS, token=st.sampled_from([TOKEN, "*", "", "é"]))
def test_the_lines_of_any_file_are_read_without_raising(octets, token):
    rules = parse_robots(b"User-agent: *\n" + octets)
    assert isinstance(read_usage_preferences(rules, token).at("/a"), tuple)
    in_force(read_content_signals(rules, token))
    read_visit_times(rules, token).next_opening(0)
    read_request_rates(rules, token).slowest(0)
    read_noindex(rules, token).decide("/a")
    read_ai_prohibitions(rules, token).decide(None)
    read_peer_blocks(rules, token, load_ai_agents()).refused(AiUse.TRAINING, "https://example.com/")


def test_refusals_behind_what_is_read_of_a_signal_count():
    (found,) = in_force(parse_signal_header(["x" * 20_000 + ", AI-Train = no, search=yes, ai-input=nothing"]))
    assert (found.use, found.denies, found.problem) == ("ai-train", True, Problem.BEYOND_LIMIT)
    filler = "".join(f"Content-Signal: search=yes, x{number}=no\n" for number in range(1_000))
    text = f"User-agent: *\n{filler}Content-Signal: use=reference\n"
    assert by_use(signals(text)) == {
        "search": Stance.ALLOW,
        "use": (Stance.DENY, "reference"),
        "x0": Stance.UNKNOWN,  # of another vocabulary: shown, and it says nothing
    }


def test_a_file_with_more_lines_than_anybody_writes_refuses_everything():
    allowing = b"User-agent: *\nAllow: /\n"
    rules = parse_robots(allowing + b"a:\n" * MOST_LINES)
    assert rules.problem
    assert not rules.judge(TOKEN, "https://example.com/").allowed
    for filler in (b"\n" * 400_000, b" \r\n" * 100_000, b"a:\n" * (MOST_LINES - 2)):
        assert parse_robots(allowing + filler).judge(TOKEN, "https://example.com/").allowed


def test_a_file_that_cannot_be_read_has_no_lines():
    rules = parse_robots(b"\xff\xfeU\x00\xd8")
    assert rules.problem
    assert not read_usage_preferences(rules, TOKEN)
    assert read_content_signals(rules, TOKEN) == ()
