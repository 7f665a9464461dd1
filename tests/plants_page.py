"""The planted errors of the page's compacted figures and of damaged rows."""

from __future__ import annotations

from tests.plants import Plant

PLANTS = [
    Plant('paper_figures/salvage.py', 'if said == "same":',
          'if said != "same":', 'tests/paper_figures/test_report_salvage.py'),
    Plant('paper_figures/salvage.py', 'if self.left < 0:',
          'if self.left < -500:', 'tests/paper_figures/test_report_salvage.py'),
    Plant('paper_figures/salvage.py', 'last = _read_last(make, rows, error)',
          'last = None', 'tests/paper_figures/test_report_salvage.py'),
    Plant('paper_figures/compact_path.py', 'at = ends[-1] if ends else start',
          'at = ends[0] if ends else start', 'tests/paper_figures/test_compact_svg.py'),
    Plant('paper_figures/compact_path.py', 'number[0] == "." and "." in before',
          'number[0] == "."', 'tests/paper_figures/test_compact_svg.py'),
    Plant('paper_figures/compact_svg.py', 'if len(marks) < 2 or _SEEN_THROUGH.search(first.style):',
          'if len(marks) < 2:', 'tests/paper_figures/test_compact_svg.py'),
    Plant('paper_figures/compact_svg.py', 'fill:none;(?!.*opacity)',
          'fill:none;', 'tests/paper_figures/test_compact_svg.py'),
    Plant('paper_figures/compact_svg.py', 'if first.marker and len(marks) > 1:',
          'if first.marker:', 'tests/paper_figures/test_compact_svg.py'),
    Plant('paper_figures/compact_svg.py', " overflow='visible'>",
          '>', 'tests/paper_figures/test_compact_svg.py'),
    Plant('paper_figures/compact_svg.py', 'last=1 / GLYPH)',
          'last=1.0)', 'tests/paper_figures/test_compact_svg.py'),
    Plant('paper_figures/compact_png.py', 'opaque = pixels[..., 3].min() == 255',
          'opaque = True', 'tests/paper_figures/test_compact_svg.py'),
    Plant('paper_figures/compact_png.py', 'if len(colours) <= 256:',
          'if True:', 'tests/paper_figures/test_compact_svg.py'),
    Plant('paper_figures/findings.py', 'broken=d.broken or bool(gaps)))',
          'broken=d.broken))', 'tests/paper_figures/test_report.py'),
    Plant('paper_figures/report.py', 'for note in c.left_out if note not in told]',
          'for note in c.left_out if note in told]', 'tests/paper_figures/test_report.py'),
    Plant('paper_figures/gallery.py', 'isinstance(n, int) and n > 1 for n in sides',
          'True for n in sides', 'tests/paper_figures/test_gallery.py'),
    Plant('paper_figures/fields.py', 'if not isinstance(value, str) or not value.strip():',
          'if False:', 'tests/paper_figures/test_report_damage.py'),
    Plant('sims/rows.py', 'json.loads(line, parse_constant=_no_number)',
          'json.loads(line)', 'tests/sims/test_rows.py'),
]
