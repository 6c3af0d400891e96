"""What every page has to be like, looked up in a browser's own layout of it."""

from typing import Final

from tests.support.chromium import Tab

_OVERFLOW: Final = """
(() => {
  const wide = [...document.querySelectorAll('body *')].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width > 0 && (box.right > innerWidth + .5 || box.left < -.5); });
  const all = wide.map(e => e.tagName + ': ' + e.innerText);
  if (document.documentElement.scrollWidth > innerWidth) all.push('the page itself');
  return all;
})()
"""

_CONTRAST: Final = """
(() => {
  const parse = text => {
    const all = text.match(/[\\d.]+/g).map(Number);
    return all.length > 3 ? all : [...all, 1]; };
  const light = colour => {
    const [r, g, b] = colour.map(c => c / 255).map(
      c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const over = (front, back) => front.slice(0, 3).map(
    (c, i) => c * front[3] + back[i] * (1 - front[3]));
  const ground = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement)
      layers.unshift(parse(getComputedStyle(e).backgroundColor));
    return layers.reduce((back, front) => over(front, back), [255, 255, 255]); };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  let looked = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.getClientRects().length) continue;
    looked += 1;
    const back = ground(element);
    const front = over(parse(getComputedStyle(element).color), back);
    const [low, high] = [light(front), light(back)].sort((a, b) => a - b);
    const ratio = (high + .05) / (low + .05);
    if (ratio < 4.5) found.push(ratio.toFixed(2) + ': ' + text);
  }
  return looked ? found : ['there is no text'];
})()
"""

_BEGIN: Final = """(() => {
  const begin = document.body.insertBefore(
    document.createElement('span'), document.body.firstChild);
  begin.tabIndex = -1;
  begin.focus();
})()"""

_CONTROLS: Final = """
(() => {
  const all = [...document.querySelectorAll(
    'a[href], button, input:not([type=hidden]), select, textarea')];
  return all.map(e => {
    const box = e.getBoundingClientRect();
    return {name: e.innerText || e.name, x: box.left, y: box.top, height: box.height};
  });
})()
"""

_FOCUSED: Final = """
(() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const style = getComputedStyle(e);
  const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  return {name: e.innerText || e.name, seen};
})()
"""

_OUTLINE: Final = """
({
  lang: document.documentElement.lang,
  title: document.title.trim(),
  headings: document.querySelectorAll('h1').length,
  mains: document.querySelectorAll('main').length,
  nameless: [...document.images].filter(i => !i.hasAttribute('alt')).length,
  broken: [...document.images].filter(i => !i.naturalWidth).length,
  styled: getComputedStyle(document.body).fontFamily.includes('system-ui'),
})
"""

TOUCHABLE: Final = 44.0
"""CSS pixels that a finger needs (WCAG 2.5.5)."""


def check_page(tab: Tab) -> None:
    """Check the page in *tab* for everybody who may read it."""
    assert tab.problems() == []
    assert tab.run(_OVERFLOW) == []
    assert tab.run(_CONTRAST) == []
    check_outline(tab)
    check_keyboard(tab)


def check_outline(tab: Tab) -> None:
    """Check what a screen reader goes by."""
    outline = tab.run(_OUTLINE)
    assert outline.pop("lang")
    assert outline.pop("title")
    assert outline == {
        "headings": 1,
        "mains": 1,
        "nameless": 0,
        "broken": 0,
        "styled": True,
    }


def begin_at_the_top(tab: Tab) -> None:
    """Take the focus away from where the page has put it."""
    tab.run(_BEGIN)


def check_keyboard(tab: Tab) -> None:
    """Check that Tab goes to every control, in the order in which they are read."""
    controls = tab.run(_CONTROLS)
    assert controls == sorted(controls, key=lambda c: (c["y"], c["x"]))
    assert [c for c in controls if c["height"] < TOUCHABLE] == []
    reached = []
    for _ in controls:
        tab.press("Tab")
        focused = tab.run(_FOCUSED)
        assert focused is not None
        assert focused["seen"], f"the focus on {focused['name']} is not to be seen"
        reached.append(focused["name"])
    assert reached == [control["name"] for control in controls]
