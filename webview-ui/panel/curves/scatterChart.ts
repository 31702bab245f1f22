/** How the scatter of downstream score against retention is drawn. */
import type { Chart } from 'chart.js';
import { methodLabel } from '../../../src/methods/index.js';
import { formatChange, formatNumber } from '../../../src/protocol/format.js';
import { unitName } from '../../../src/protocol/metrics.js';
import { curveStyle, type Theme } from '../../shared/theme.js';
import { axis, commonOptions, tooltipColors, type Drawing } from '../chartBase.js';
import { methodsOf, type ScatterGroup, type ScatterPoint } from './scatter.js';

/** One unit of a group: up and to the right is better. */
export function scatterChart(
  group: ScatterGroup,
  { points }: ScatterGroup['units'][number],
  theme: Theme,
): Drawing {
  const datasets = methodsOf(points).map(({ name, style }) => {
    const { color, point } = curveStyle(style, theme.kind);
    return {
      label: methodLabel(name),
      data: points.filter(({ method }) => method === name),
      borderColor: color,
      backgroundColor: color,
      pointStyle: point,
      pointRadius: 6,
      pointHoverRadius: 8,
    };
  });
  return {
    type: 'scatter',
    data: { datasets },
    options: {
      ...commonOptions,
      layout: { padding: { top: 12, right: 8 } },
      scales: {
        x: axis({
          label: `downstream, ${unitName(group.xUnit)} (better to the right)`,
          theme,
          reverse: !group.higherIsBetter,
          ends: withRoom(points.map(({ x }) => x)),
        }),
        y: axis({
          label: 'mean change of the pre-existing tasks (up is better)',
          theme,
          ends: withRoom([0, ...points.map(({ y }) => y)]),
        }),
      },
      plugins: {
        legend: { display: false },
        tooltip: {
          ...tooltipColors(theme),
          callbacks: {
            title: (items) => items.map(({ raw }) => (raw as ScatterPoint).label),
            label: ({ dataset, raw }) => {
              const { x, y } = raw as ScatterPoint;
              return ` ${dataset.label}: downstream ${formatNumber(x)}, kept ${formatChange(y)}`;
            },
          },
        },
      },
    },
    above: (chart) => drawLabels(chart, theme),
  };
}

/** The ends of the values with some room for points and names. */
function withRoom(values: readonly number[]): { min: number; max: number } {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const room = (max - min) * 0.1 || 0.1 * Math.abs(max) || 1;
  return { min: min - room, max: max + room };
}

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** The name of each run beside its point, where it does not run over a point or another name. */
function drawLabels(chart: Chart<'line' | 'scatter'>, theme: Theme): void {
  const { ctx, chartArea } = chart;
  const drawn = chart.data.datasets.flatMap(({ data }, i) =>
    chart.getDatasetMeta(i).data.map(({ x, y }, j) => ({
      x,
      y,
      label: (data[j] as ScatterPoint).label,
    })),
  );
  const taken = drawn.map(({ x, y }): Box => around(x - 6, x + 6, y));
  ctx.save();
  ctx.fillStyle = theme.foreground;
  ctx.font = `11px ${theme.fontFamily}`;
  for (const { x, y, label } of drawn) {
    const { width } = ctx.measureText(label);
    const box = [
      around(x + 10, x + 10 + width, y),
      around(x - 10 - width, x - 10, y),
      around(x - width / 2, x + width / 2, y - 15),
      around(x - width / 2, x + width / 2, y + 15),
      around(x + 2, x + 2 + width, y + 15),
      around(x - 2 - width, x - 2, y + 15),
      around(x + 2, x + 2 + width, y - 15),
      around(x - 2 - width, x - 2, y - 15),
    ].find(
      (place) =>
        place.left >= chartArea.left &&
        place.right <= chartArea.right &&
        !taken.some((other) => meet(place, other)),
    );
    if (box === undefined) continue;
    taken.push(box);
    ctx.fillText(label, box.left, box.bottom - 2);
  }
  ctx.restore();
}

function around(left: number, right: number, y: number): Box {
  return { left, right, top: y - 6, bottom: y + 6 };
}

function meet(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
