/**
 * The accessibility check of every page. axe-core reaches the page through the debugger, since the
 * content policy rightly lets no other script in.
 */
import axe, { type AxeResults } from 'axe-core';
import type { Frame, Page } from 'playwright-core';

export interface Finding {
  /** The rule, e.g. `color-contrast`. */
  rule: string;
  impact: 'serious' | 'critical';
  help: string;
  /** The elements, as HTML, and what is wrong with each. */
  elements: string[];
}

/** What axe-core finds serious or critical in the page as it stands; empty is what we want. */
export async function seriousFindings(page: Page | Frame): Promise<Finding[]> {
  await page.evaluate(axe.source);
  const results = await page.evaluate(() => {
    const scope = window as unknown as { axe: { run: (at: Document) => Promise<unknown> } };
    return scope.axe.run(document);
  });
  return (results as AxeResults).violations.flatMap(({ id, impact, help, nodes }) =>
    impact === 'serious' || impact === 'critical'
      ? [
          {
            rule: id,
            impact,
            help,
            elements: nodes.map(({ html, failureSummary }) => `${html}\n${failureSummary ?? ''}`),
          },
        ]
      : [],
  );
}
