"""The script that runs in every document before the page's own: it closes what no rule could judge.

WebRTC and WebTransport speak UDP to any host that a script names, a websocket is no exchange with an end, and
a service worker answers and asks in place of the page. None of them makes a request that could be put before
the rules, so none of them works, and the attempt is told to us. Chromium's flags (`chromium.py`) close the
same ways a second time, for workers and for scripts that get round this one.
"""

from __future__ import annotations

from typing import Final

BINDING: Final = "__sekishoClosed"

PAGE_SCRIPT: Final = """
(() => {
  const tell = window["__sekishoClosed"];
  try { delete window["__sekishoClosed"]; } catch (error) { /* it stays, and only tells */ }
  const told = (way, where) => {
    try { if (tell) tell(way, String(where).slice(0, 2000)).catch(() => {}); } catch (error) { /* closed */ }
  };
  const whole = (where) => {
    try { return new URL(where, document.baseURI).href; } catch (error) { return where; }
  };
  const refusal = (way) => new DOMException(way + " is closed to this crawler", "SecurityError");
  const closed = (way, address) => function (given) {
    let where = location.href;
    try { where = address(given); } catch (error) { /* the page's own address stands for it */ }
    told(way, where);
    throw refusal(way);
  };
  const put = (owner, name, value) => {
    try { Object.defineProperty(owner, name, { value, configurable: false, writable: false }); }
    catch (error) { /* not there to be closed */ }
  };
  const server = (given) => {
    const urls = [].concat(given.iceServers[0].urls || given.iceServers[0].url);
    return urls[0];
  };
  for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection"]) {
    if (name in window) put(window, name, closed("WebRTC", server));
  }
  // A websocket fails as if its server were away (it meets the dead end), since few pages expect it to throw.
  if (window.WebSocket) {
    put(window, "WebSocket", class WebSocket extends window.WebSocket {
      constructor(where, ...rest) { told("websocket", whole(where)); super(where, ...rest); }
    });
  }
  if ("WebTransport" in window) put(window, "WebTransport", closed("WebTransport", whole));
  if (window.ServiceWorkerContainer) {
    put(ServiceWorkerContainer.prototype, "register", function (script) {
      told("service worker", whole(script));
      return Promise.reject(refusal("a service worker"));
    });
  }
})();
"""
