"""Lines of robots.txt and of its kin that take their readers long, for `worst_inputs.py`.

A file may have 40,000 lines that are not empty, so that the worst of them have thirteen octets: rules that all
match nearly, names that all differ, agents times rules, records of which each is a statement, and whatever has to
be read leniently.
"""

from __future__ import annotations

from policies.ai_agents import load_ai_agents

# What is repeated, what stands before and what behind it. `%d` becomes a number that differs each time.
Form = tuple[bytes, bytes, bytes]

LINES: tuple[Form, ...] = (
    (b"", b"User-agent: b%d\n", b"Disallow: /\n"),
    (b"", b"User-agent: b%d\nDisallow: /\n", b""),
    (b"", b"User-agent: *\nDisallow: /%d\n", b""),
    (b"User-agent: *\n", b"Disallow: /%d\n", b""),
    (b"User-agent: *\n", b"Disallow: /*%d*a$\n", b""),
    (b"User-agent: *\nDisallow: /", b"*a", b"\n"),
    (b"User-agent: *\nDisallow: /", b"%%41", b"\n"),
    (b"User-agent: *\nAllow: /", b"x", b"\n"),
    (b"User-agent: *\n", b"Content-Usage: /%d train-ai=n\n", b""),
    (b"User-agent: *\nContent-Usage: ", b"a%d=n, ", b"\n"),
    (b"User-agent: *\n", b"Content-Signal: ai-train=no\n", b""),
    (b"User-agent: *\nContent-Signal: ", b"ai-train=no, ", b"\n"),
    (b"User-agent: *\n", b"Visit-time: 0100-0200\n", b""),
    (b"User-agent: *\n", b"Request-rate: 1/10m 0600-0845\n", b""),
    (b"User-agent: *\n", b"Noindex: /*%d\n", b""),
    (b"User-agent: *\n", b"Crawl-delay: %d\n", b""),
    (b"User-agent: *\n", b"DisallowAITraining: /%d\n", b""),
    (b"", b"License: https://e.com/%d\n", b""),
    (b"", b"Sitemap: /%d\n", b""),
    (b"", b"User-agent: GPTBot\nUser-agent: CCBot\nDisallow: /%d\n", b""),
    (b"", b"x%d: y\n", b""),
    (b"", b":\n", b""),
    (b"", b"\n", b""),
    (b"", b"\r", b""),
    (b"", b"\0", b""),
    (b"", b" ", b""),
    (b"", b"a", b""),
    (b"User-agent: ", b"a", b"\n"),
    (b"", b"#", b""),
    (b"\xff\xfe", b"\x00\xd8", b""),
    (b"", b"\xe3\x80\x80Disallow: /\n", b""),
)
_ALL = b"User-agent: *\n"
_AGENTS = [agent.token.encode() for agent in load_ai_agents()]
_LIST = b"".join(b"User-agent: %b\n" % token for token in _AGENTS)
_GROUPS = b"".join(b"User-agent: %b\nDisallow: /%b\n" % (token, token) for token in _AGENTS)
ODD_LINES: tuple[Form, ...] = (
    # Field names that all differ, and such as are read leniently.
    (b"", b"dx%06d: y\n", b""),
    (b"", b"\xe3\x80\x80d%06d: y\n", b""),
    (_ALL, b"user-agent%d: x\n", b""),
    (_ALL, b"disallow-%d: /\n", b""),
    (_ALL, b"disallow x%d:y\n", b""),
    (_ALL, b"disallow x%d: /y\n", b""),
    (_ALL, b"allow x%d:yy\n", b""),
    (_ALL, b"disallow /%05d\n", b""),
    (_ALL, b"disallow \xe3\x80\x80/%d\n", b""),
    (b"", b"user-agent b%d\n", b""),
    (b"", b"user agent: * %d\nDisallow: /x\n", b""),
    (_ALL, b"dzzzzz /%06d\n", b""),
    (b"x", b":", b"\n"),
    (b"disallow", b" x", b"\n"),
    (b"disallow ", b"\xe3\x80\x80", b" x y"),
    # Patterns that nearly match, that have to be rewritten, or that cannot be read.
    (_ALL, b"Disallow: /%%41%d\n", b""),
    (_ALL, b"Disallow: /$%d$\n", b""),
    (_ALL, b"Disallow: /%d$\n", b""),
    (_ALL, b"Disallow: \xe3\x80\x80/%d\n", b""),
    (_ALL, b"Disallow: http://%d\n", b""),
    (_ALL, b"Disallow: /%d #c\n", b""),
    (_ALL, b"Allow: *%d\n", b""),
    (_ALL, b"Disallow: *%d*%d*\n", b""),
    (_ALL, b"Disallow: /a*b?c*%d\n", b""),
    (_ALL, b"Disallow: /*/*?*=*%d$\n", b""),
    (_ALL, b"Disallow: /**%d\n", b""),
    (_ALL, b"Disallow: *\x85%d$$*\n", b""),
    (_ALL, b"Disallow: /\0%d\n", b""),
    (_ALL + b"Disallow: /", b"$", b"\n"),
    (_ALL + b"Disallow: /", b"%%e3*", b"\n"),
    (_ALL + b"Disallow: /", b"\xff", b"\n"),
    (_ALL + b"Disallow: ", b"\xe3\x80\x80", b"/\n"),
    (_ALL, b"Allow: /%d/index.html\n", b""),
    (_ALL, b"Allow: /*%d$/index.html\n", b""),
    # Agents times rules.
    (b"", b"User-agent: *\nUser-agent: b%d\nDisallow: /%d\n", b""),
    (b"", b"User-agent: *\nDisallow: /*%d*a$\n", b""),
    (b"", b"User-agent: GPTBot\nDisallow: /%d\nUser-agent: CCBot\nDisallow: /*%d\n", b""),
    (b"", b"User-Agent: a%d\nuser-agent:  a%d\n", b""),
    (b"", b"User-agent: AI2Bot\nDisallow: /%d\n", b""),
    (_LIST, b"Disallow: /*%d*a$\n", b""),
    (_GROUPS + _LIST, b"Disallow: /*%d*a$\n", b""),
    (b"", _LIST + b"Disallow: /%d\n", b""),
    # Records of which each is a statement.
    (_ALL, b"Content-Usage: a%d=n, search=y\n", b""),
    (_ALL, b"Content-Usage: train-ai=%d\n", b""),
    (_ALL, b"Content-Usage: /*%d train-ai=n\n", b""),
    (_ALL, b"Content-Usage: " + b"a=n, " * 1_500 + b"train-ai=n\n", b""),
    (_ALL, b"Content-Signal: " + b"x%d=no " * 100 + b"\n", b""),
    (_ALL, b"Content-Signal: /%d ai-train=no\n", b""),
    (_ALL, b"Visit-time: x%d\n", b""),
    (_ALL, b"Request-rate: %d/10m 0600-0845\n", b""),
    (_ALL, b"Crawl-delay: %d.5 s\n", b""),
    (_ALL, b"no-index: /*%d\nnoindex: /*%d\n", b""),
    (_ALL, b"NoAI: /*%d\n", b""),
    (_ALL, b"Noindex: /*%d\nDisallow: /*%d\n", b""),
    (b"", b"License: /%d\n", b""),
    # Line ends, blanks and encodings.
    (_ALL, b"Disallow: /%d\n\r\r\n\n", b""),
    (_ALL, b"Disallow: /%d\xc2\x85", b""),
    (b"", b"\x0b", b""),
    (b"", b" \n", b""),
    (b"", b"\r\n", b""),
    (b"", b"\n#", b""),
    (b"", b"\xe3\x80\x80\n", b""),
    (b"\xff\xfe", "User-agent: *\nDisallow: /*a$\n".encode("utf-16-le"), b""),
    (b"\xef\xbb\xbf", b"\xef\xbb\xbfDisallow: /%d\n", b""),
)
# Against a URL whose path is two thousand times the same letter.
_ALIKE = b"a" * 50
LONG_URL_LINES: tuple[Form, ...] = (
    (_ALL, b"Disallow: /*%d*a$\n", b""),
    (_ALL, b"Disallow: /*" + _ALIKE + b"b" + _ALIKE + b"%d\n", b""),
    (_ALL, b"Disallow: /*" + _ALIKE + b"%d*\n", b""),
    (_ALL, b"Disallow: /a*a*a*a*a*a*%d\n", b""),
    (_ALL, b"Disallow: *aa%d\n", b""),
    (_ALL + b"Disallow: /", b"*a", b"*b\n"),
    (_ALL + b"Disallow: /", b"*aaaaaaaaab", b"\n"),
    (_ALL, b"Disallow: /" + b"a" * 30 + b"%d\n", b""),
)
