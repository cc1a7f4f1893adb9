import type { Reproduced } from './reproduced.ts';
import { costLines, figureTable, totalText } from './reproduced.ts';

const STYLE = `body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1c2430; background: #f5f6f8; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 0 0 0.3rem; } p, ul { margin: 0.3rem 0 0.8rem; color: #566072; }
code { background: #e8ebf0; padding: 0.1rem 0.3rem; border-radius: 4px; }
section { background: #fff; border: 1px solid #dde1e8; border-radius: 8px; padding: 1rem; margin: 1rem 0; overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.7rem; border-bottom: 1px solid #e8ebf0; text-align: left; white-space: nowrap; }
td:nth-child(n+2):nth-child(-n+4), th:nth-child(n+2):nth-child(-n+4) { text-align: right; } th { color: #566072; font-weight: 600; }
tr.miss td:nth-child(5) { color: #a4262c; font-weight: 600; }
.bar { display: inline-block; position: relative; width: 120px; height: 10px; background: linear-gradient(#99a3b3, #99a3b3) 50% 0 / 1px 100% no-repeat #eef0f4; }
.bar i { position: absolute; top: 2px; height: 6px; background: #0f6cbd; } tr.miss .bar i { background: #a4262c; }`;

/** Deviation that fills half of a bar. */
const FULL = 0.5;

/** The experiments as one HTML file that loads nothing from elsewhere. */
export function reproducedHtml(results: readonly Reproduced[]): string {
  const command = `npx s2lab reproduce ${results.map(({ name }) => name).join(' ')}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Published results, reproduced</title><style>${STYLE}</style></head><body>
<h1>Published results, reproduced</h1>
<p>${escape(totalText(results))}. Repeat it with <code>${escape(command)}</code>. Bars: deviation, ${100 * FULL} % to either side.</p>
${results.map(section).join('\n')}
</body></html>
`;
}

function section(result: Reproduced): string {
  const [headings, ...rows] = figureTable(result);
  const body = rows.map((row, i) => {
    const figure = result.figures[i]!;
    const cells = [...row.map(escape), bar(figure.deviation)].map((cell) => `<td>${cell}</td>`).join('');
    return `<tr${figure.judgement === 'miss' ? ' class="miss"' : ''}>${cells}</tr>`;
  });
  return `<section><h2>${escape(result.name)}: ${escape(result.title)}</h2>
<p>${escape(result.source)}<br>${escape(result.method)}</p>
<ul>${costLines(result)
    .map((line) => `<li>${escape(line)}</li>`)
    .join('')}</ul>
<table><thead><tr>${[...headings!, ''].map((text) => `<th>${escape(text)}</th>`).join('')}</tr></thead><tbody>${body.join('')}</tbody></table></section>`;
}

function bar(deviation: number | null): string {
  if (deviation === null) return '';
  const half = 50 * Math.min(1, Math.abs(deviation) / FULL);
  return `<span class="bar"><i style="left:${deviation < 0 ? 50 - half : 50}%;width:${half}%"></i></span>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
