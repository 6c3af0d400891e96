"""The example for operators runs: a request is followed from its answer to its span."""

import json
import signal
import socket
from pathlib import Path
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from prometheus_client.parser import text_string_to_metric_families

from sso_proxy.testing.pki import Pki
from tests.support.programs import Backend, CurlAnswer, RealProxy, curl, free_port
from tests.support.recorder import Recorder
from tests.support.running import eventually
from tests.test_etc import ETC, replaced

HOST: Final = "www.example.com"
CAME: Final = f"00-{'a' * 32}-{'b' * 16}-01"


def certificates(tls: Path) -> None:
    tls.mkdir()
    public, operators = Pki.create(), Pki.create("operators")
    public.write(tls, "ca")
    public.issue(HOST, dns=[HOST], server=True).write(tls, "www")
    public.issue("admin", ips=["127.0.0.1"], server=True).write(tls, "admin")
    operators.write(tls, "operators-ca")
    operators.issue("operator", client=True).write(tls, "operator")


def test_a_request_is_followed(tmp_path: Path) -> None:
    tls, admin = tmp_path / "tls", free_port()
    certificates(tls)
    spans: list[bytes] = []

    def collect(sock: socket.socket, _: int) -> None:
        data = b""
        while chunk := sock.recv(65536):
            data += chunk
            head, end, body = data.partition(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            if end and len(body) == int(length or b"0"):
                spans.append(body)
                sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                data = b""

    with Backend(collect) as collector, Recorder() as backend:
        changes = {
            "port = 9443": f"port = {admin}",
            "port = 8443": f"port = {free_port()}",
            ":4318/": f":{collector.port}/",
            ":9000": f":{backend.port}",
        }
        text = replaced((ETC / "operations.toml").read_text(), changes)
        proxy = RealProxy(tmp_path, text, state_dir=str(tmp_path / "state"))
        lines = proxy.config.read_text().splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith("admin = ")]
        proxy.config.write_text("".join(kept))
        with proxy.serve():

            def ask(url: str, *options: str | Path) -> CurlAnswer:
                return curl("--cacert", tls / "ca.crt", *options, url)

            port = proxy.ports[0]
            answer = ask(
                f"https://{HOST}:{port}/orders/alice?token=s3cret",
                *("--resolve", f"{HOST}:{port}:127.0.0.1"),
                *("-H", f"traceparent: {CAME}"),
            )
            assert answer.status == 200, answer
            (timing,) = answer.values("server-timing")
            assert timing.startswith("auth;dur=")
            (parent,) = backend.seen[0].values("traceparent")
            _, trace, span, flags = parent.split("-")
            assert (trace != "a" * 32, flags) == (True, "03")
            proxy.wait_for_record(f'"trace":"{trace}"')
            record = json.loads(proxy.audit.read_text().splitlines()[0])
            eventually(lambda: bool(spans), "spans")
            read = ExportTraceServiceRequest.FromString(spans[0])
            (found,) = read.resource_spans[0].scope_spans[0].spans
            assert (found.trace_id.hex(), found.span_id.hex()) == (trace, span)
            told = {each.key: each.value.string_value for each in found.attributes}
            assert told["sso_proxy.request_id"] == record["id"]
            assert not any(each in spans[0] for each in (b"s3cret", b"alice"))

            shown = ("--cert", tls / "operator.crt", "--key", tls / "operator.key")
            where = f"https://127.0.0.1:{admin}/metrics"
            metrics = ask(where, *shown)
            assert metrics.status == 200
            families = {f.name: f for f in text_string_to_metric_families(metrics.text)}
            durations = families["sso_proxy_request_duration_seconds"]
            assert durations.type == "histogram"
            assert {s.labels["route"] for s in durations.samples} == {
                "www.example.com/"
            }
            assert "alice" not in metrics.text
            assert ask(where).status == 0
            certificates_are_replaced(proxy, tls, [*shown, where])


def certificates_are_replaced(
    proxy: RealProxy, tls: Path, question: list[str | Path]
) -> None:
    """See that a reload takes what stands there, unless it is of no use."""
    other = Pki.create("other")
    other.write(tls, "other-ca")
    other.issue("admin", ips=["127.0.0.1"], server=True).write(tls, "admin")
    proxy.signal(signal.SIGHUP)
    proxy.wait_for_log("reloaded")
    assert curl("--cacert", tls / "ca.crt", *question).status == 0
    assert curl("--cacert", tls / "other-ca.crt", *question).status == 200
    (tls / "admin.crt").write_text("nothing")
    proxy.signal(signal.SIGHUP)
    proxy.wait_for_log("not reloaded: server.admin.certificate")
    assert curl("--cacert", tls / "other-ca.crt", *question).status == 200
