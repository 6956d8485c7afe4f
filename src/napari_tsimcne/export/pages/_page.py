"""Pages of HTML that need nothing but themselves: what they share."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

_TEMPLATES = Environment(
    loader=PackageLoader("napari_tsimcne.export.pages", "templates"),
    # Of every template, scripts and styles too: what a user has typed is never markup.
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: object) -> str:
    """Fill in a template of the folder ``templates``; all text in ``values`` is escaped.

    Parameters
    ----------
    template
        Name of its file.
    values
        What it names; a template that names anything else is an error.
    """
    return _TEMPLATES.get_template(template).render(**values)


def data_uri(content: bytes, kind: str) -> str:
    """Return a file as an address that holds it, ``kind`` being such as ``image/png``."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def inlined(*scripts: str) -> str:
    """Join scripts of the folder ``templates`` into one, which shares no name with anything else.

    It goes into a page as it is, by ``<script>{{ script | safe }}</script>``.
    """
    folder = files("napari_tsimcne.export.pages") / "templates"
    texts = [(folder / name).read_text(encoding="utf-8") for name in scripts]
    return '(() => {\n"use strict";\n' + "\n".join(texts) + "})();\n"


def policy(*scripts: str) -> str:
    """Return the Content-Security-Policy of a page: nothing is loaded from anywhere.

    Of scripts, only these may run: not even one that has come into the page as text. ``str`` is
    what stands between ``<script>`` and ``</script>``, to the letter.
    """
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()) for script in scripts]
    allowed = [f"'sha256-{digest.decode()}'" for digest in digests] or ["'none'"]
    return (
        f"default-src 'none'; script-src {' '.join(allowed)}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
