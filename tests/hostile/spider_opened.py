"""A spider whose code opens connections, programs and libraries by itself, each attempt in a function of its name."""

import asyncio
import ctypes
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import ClassVar

from scrapy import Request, Spider, signals

PORT = int(Path("port.txt").read_text())
HEARD = []


def own(key):
    return f"http://127.0.0.1:{PORT}/own/{key}"


def tried(key, call):
    try:
        call()
    except Exception as error:
        HEARD.append((key, type(error).__name__))
    else:
        HEARD.append((key, "went through"))


def module():
    return urllib.request.urlopen(own("module"))


tried("module", module)


class Pipeline:
    def process_item(self, item):
        if item.get("attempt") == "pipeline":
            tried("pipeline", self.pipeline)
        return item

    def pipeline(self):
        return urllib.request.urlopen(own("pipeline"))


class Opened(Spider):
    name = "opened"
    custom_settings: ClassVar = {"ITEM_PIPELINES": {Pipeline: 1}}

    def __init__(self):
        super().__init__()
        tried("constructor", self.constructor)

    @classmethod
    def from_crawler(cls, crawler, *arguments, **named):
        spider = super().from_crawler(crawler, *arguments, **named)
        crawler.signals.connect(spider.headers_received, signals.headers_received)
        return spider

    def constructor(self):
        return urllib.request.urlopen(own("constructor"))

    def headers_received(self, headers, body_length, request, spider):
        if request.url.endswith("/p/1"):
            tried("in_headers", self.in_headers)

    def in_headers(self):
        return urllib.request.urlopen(own("in_headers"))

    async def start(self):
        for number in range(8):  # others to the same host stay under way all the time
            yield Request(f"http://127.0.0.1:{PORT}/p/{number}", callback=self.parse)

    async def parse(self, response):
        if not response.url.endswith("/p/0"):
            return
        for key in (
            "urllib",
            "http_client",
            "raw_socket",
            "datagram",
            "name",
            "thread",
            "program",
            "shell_program",
            "library",
        ):
            tried(key, getattr(self, "do_" + key))
        for key in ("asyncio_streams", "aiohttp_session", "own_handler"):
            try:
                await getattr(self, "do_" + key)()
            except Exception as error:
                HEARD.append((key, type(error).__name__))
            else:
                HEARD.append((key, "went through"))
        yield {"attempt": "pipeline"}

    def closed(self, reason):
        Path("items.jsonl").write_text(
            "".join(json.dumps({"attempt": key, "refused": heard}) + "\n" for key, heard in HEARD)
        )

    def do_urllib(self):
        return urllib.request.urlopen(own("urllib"))

    def do_http_client(self):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
        connection.request("GET", "/own/http_client")
        return connection.getresponse()

    def do_raw_socket(self):
        with socket.socket() as opened:
            opened.connect(("127.0.0.1", PORT))
            opened.sendall(b"GET /own/raw_socket HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
            return opened.recv(10)

    def do_datagram(self):
        with socket.socket(type=socket.SOCK_DGRAM) as opened:
            return opened.sendto(b"x", ("127.0.0.1", PORT))

    def do_name(self):
        return socket.getaddrinfo("stolen-data.example", 80)

    def do_thread(self):
        errors = []

        def thread():
            try:
                urllib.request.urlopen(own("thread"))
            except OSError as error:
                errors.append(error)

        started = threading.Thread(target=thread)
        started.start()
        started.join(10)
        if errors:
            raise errors[0]

    def do_program(self):
        code = f"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/own/program')"
        subprocess.run([sys.executable, "-c", code], check=False)

    def do_shell_program(self):
        os.system(
            f"{sys.executable} -c \"import urllib.request as u; u.urlopen('http://127.0.0.1:{PORT}/own/shell_program')\""
        )

    def do_library(self):
        ctypes.CDLL("libc.so.6")

    async def do_asyncio_streams(self):
        _, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.write(b"GET /own/asyncio_streams HTTP/1.1\r\nHost: a.localhost\r\n\r\n")
        await writer.drain()

    async def do_aiohttp_session(self):
        import aiohttp

        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{PORT}/own/aiohttp_session") as got,
        ):
            return await got.read()

    async def do_own_handler(self):
        if self.settings.getbool("TWISTED_REACTOR_ENABLED"):
            from scrapy.core.downloader.handlers.http11 import HTTP11DownloadHandler as Handler
        else:
            from scrapy.core.downloader.handlers._aiohttp import AiohttpDownloadHandler as Handler
        handler = Handler(self.crawler)
        try:
            return await handler.download_request(Request(f"http://127.0.0.1:{PORT}/own/own_handler"))
        finally:
            await handler.close()
