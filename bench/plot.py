"""plot: CPU time per query of each server as bars, in SVG."""
from xml.sax.saxutils import escape

WIDTH, ROW, GAP, LEFT, BAR = 760, 20, 34, 130, 520
STYLE = ("text{font:13px sans-serif;fill:#222}.t{font-weight:bold}.b{fill:#9aa7b5}"
         ".d{fill:#1f7a4d}.f{fill:#d0d5da}.g{fill:#fff}"
         "@media(prefers-color-scheme:dark){text{fill:#ddd}.g{fill:#16191d}.b{fill:#5d6b7a}"
         ".d{fill:#39b377}.f{fill:#3a4149}}")
SHOWN = ("hit", "miss", "mixed", "rtt", "churn")
TITLES = {"hit": "cached", "miss": "forwarded, busy", "mixed": "mixed names",
          "rtt": "forwarded, one at a time", "churn": "upstream that closes often"}


def bar(y, server, value, longest):
    kind = {"dotgate": "d", "floor": "f"}.get(server, "b")
    width = max(1, round(BAR * value / longest))
    return (f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(server)}</text>'
            f'<rect class="{kind}" x="{LEFT}" y="{y + 3}" width="{width}" height="{ROW - 6}"/>'
            f'<text x="{LEFT + width + 6}" y="{y + 14}">{value:.1f}</text>')


def plot(results):
    """The SVG's text."""
    parts, y = [], 40
    for scenario in SHOWN:
        rows = {s: r["cpu_us"] for s, r in results.get(scenario, {}).items() if "cpu_us" in r}
        if not rows:
            continue
        parts.append(f'<text class="t" x="12" y="{y + 12}">{TITLES[scenario]}</text>')
        y += ROW
        for server, value in rows.items():
            parts.append(bar(y, server, value, max(rows.values())))
            y += ROW
        y += GAP - ROW
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" '
            f'width="{WIDTH}" height="{y}"><style>{STYLE}</style>'
            f'<rect class="g" width="{WIDTH}" height="{y}"/>'
            f'<text x="12" y="22">CPU microseconds per query (less is better)</text>'
            + "".join(parts) + "</svg>\n")
