"""Templates, and what every page carries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment, UndefinedError

from idverify.web.pages import render
from idverify.web.pages.render import Frame, Html, Renderer
from idverify.web.pages.words import Language
from tests.unit.web.pages.conftest import People

TEMPLATES = Path(render.__file__).parent / "templates"
OURS = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))
AGAINST_POLICY = re.compile(
    r"""\|\s*safe\b|\bautoescape\b|\sstyle=|\son[a-z]+=|<style|(?:src|href)="(?:https?:)?//"""
    r"""|<script(?![^>]* src=|[^>]* type="application/json")"""
)
FRAME = Frame(Language.EN, "An authority", demo=False, path="/", back="/")


def rendered(source: str, language: Language = Language.EN, **context: object) -> str:
    """What a template of one line makes."""
    renderer = Renderer(lambda name: f"/assets/{name}")
    environment = renderer._environments[language]
    environment.loader = DictLoader({"page.html": source})
    return environment.from_string(source).render(context, page=FRAME)


@pytest.mark.parametrize("language", Language)
def test_every_template_compiles(language: Language) -> None:
    """None waits for its first visitor to be found wrong."""
    renderer = Renderer(lambda name: f"/assets/{name}")
    renderer.compile_all()

    assert set(OURS) <= set(renderer._environments[language].list_templates())


@pytest.mark.parametrize("name", OURS)
def test_templates_keep_the_content_security_policy(name: str) -> None:
    """No inline script, style or handler, nothing from elsewhere, nothing that escapes the escaping."""
    source = (TEMPLATES / name).read_text()
    found = AGAINST_POLICY.findall(source)

    assert found == []


@pytest.mark.parametrize("name", OURS)
def test_templates_say_nothing_that_is_not_in_the_catalogue(name: str) -> None:
    """Whatever a reader reads went through ``_``."""
    source = re.sub(r"<(code|pre)\b.*?</\1>", "", (TEMPLATES / name).read_text(), flags=re.DOTALL)  # commands
    text = "".join(value for _, kind, value in Environment(autoescape=True).lex(source) if kind == "data")

    assert re.findall(r"[A-Za-z]{2,}.*", re.sub(r"<[^>]*>|&[a-z]+;", "", text)) == []


def test_what_people_wrote_is_text_and_never_markup() -> None:
    """In text, in attributes, and inside a translated sentence."""
    hostile = '"><script>alert(1)</script>'
    source = '<p title="{{ said }}">{{ _("Since %(day)s", day=said) }}</p>{{ {"a": said} | tojson }}{{ said | say }}'

    assert "<script" not in rendered(source, said=hostile)
    assert "<script" not in rendered("{{ said | say }}", Language.CY, said=hostile)


def test_a_name_that_was_not_passed_is_a_mistake() -> None:
    """A page never shows a gap where something was to stand."""
    with pytest.raises(UndefinedError):
        rendered("{{ nmae }}")
    with pytest.raises(UndefinedError):
        rendered("{{ page.nmae }}")
    assert rendered("{{ parameters.that_a_macro_was_not_given.deep }}", parameters={}) == ""


def test_a_sentence_without_translation_is_marked_as_english() -> None:
    """A screen reader reads it with the right voice."""
    assert (
        rendered("{{ said | say }}", Language.CY, said="Said at run time.")
        == '<span lang="en">Said at run time.</span>'
    )
    assert rendered("{{ said | say }}", Language.EN, said="Said at run time.") == "Said at run time."


async def test_every_page_carries_its_headers(people: People) -> None:
    """Nothing is cached, framed, sniffed or loaded from elsewhere."""
    headers = (await people.browser().open("/sign-in")).headers
    policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))

    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "publickey-credentials-get=(self)" in headers["Permissions-Policy"]
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


def test_only_a_page_that_asks_for_it_may_connect() -> None:
    """The wallet's script talks to the service; no other does."""
    renderer = Renderer(lambda name: f"/assets/{name}")
    page = Html("error.html", {"explained": None}, connects=True)
    renderer._environments[Language.EN].loader = DictLoader({"error.html": "ok"})

    assert "connect-src 'self'" in renderer.respond(page, FRAME).headers["Content-Security-Policy"]
