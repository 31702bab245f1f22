/** The charts of a page by their names: each keeps its canvas for as long as it is shown. */
import { createChartView, type ChartView } from './chartBase.js';

export interface Views {
  of(id: string): ChartView;
  /** Ends those that were not asked for since the last time. */
  sweep(): void;
}

export function createViews(): Views {
  const views = new Map<string, ChartView>();
  const used = new Set<string>();
  return {
    of: (id) => {
      used.add(id);
      const view = views.get(id) ?? createChartView();
      views.set(id, view);
      return view;
    },
    sweep: () => {
      for (const [id, view] of [...views]) {
        if (used.has(id)) continue;
        view.destroy();
        views.delete(id);
      }
      used.clear();
    },
  };
}
