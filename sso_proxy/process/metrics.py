"""Put the metrics of several workers into one text."""

from collections.abc import Mapping


def merge_metrics(texts: Mapping[int, str]) -> str:
    """
    Join Prometheus texts, telling workers apart by a label ``worker``.

    Sums are left to whoever reads them: they would be wrong for gauges such as the
    time at which a certificate expires.
    """
    headers: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for worker, text in texts.items():
        family = ""
        for line in text.split("\n"):  # labels may have other ends of lines in them
            if line.startswith(("# HELP ", "# TYPE ")):
                family = line.split(" ", 3)[2]
                known = headers.setdefault(family, [])
                if line not in known:
                    known.append(line)
            elif line and not line.startswith("#"):
                samples.setdefault(family, []).append(_label(line, worker))
    names = dict.fromkeys([*headers, *samples])
    return "".join(
        f"{line}\n" for n in names for line in headers.get(n, []) + samples.get(n, [])
    )


def _label(sample: str, worker: int) -> str:
    name, space, value = sample.partition(" ")
    if "{" not in name:
        return f'{name}{{worker="{worker}"}}{space}{value}'
    name, _, labels = sample.partition("{")
    comma = "" if labels.startswith("}") else ","
    return f'{name}{{worker="{worker}"{comma}{labels}'
