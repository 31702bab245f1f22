/** The change of each task with its interval, run beside run; better is to the right. */
import type { Chart } from 'chart.js';
import { unitName } from '../../../src/protocol/metrics.js';
import { curveStyle, type Theme } from '../../shared/theme.js';
import { axis, commonOptions, tooltipColors, type Drawing } from '../chartBase.js';
import { changeWithInterval, type ScoreRow } from './rows.js';

export interface ChangeGroup {
  id: string;
  unit: string;
  higherIsBetter: boolean;
  rows: ScoreRow[];
}

interface Dot {
  x: number;
  y: number;
  low: number;
  high: number;
  text: string;
}

/** Tasks that can share an axis; the downstream score, of another order, stays in the table. */
export function changeGroups(rows: readonly ScoreRow[]): ChangeGroup[] {
  const groups = new Map<string, ChangeGroup>();
  for (const row of rows) {
    if (row.isDownstream || !row.cells.some((cell) => typeof cell?.result.change === 'number')) {
      continue;
    }
    const { unit, higherIsBetter } = row;
    const id = `change-${unit}-${higherIsBetter ? 'up' : 'down'}`;
    const group = groups.get(id) ?? { id, unit, higherIsBetter, rows: [] };
    groups.set(id, { ...group, rows: [...group.rows, row] });
  }
  return [...groups.values()].sort((a, b) => b.rows.length - a.rows.length);
}

export function dotsOf({ rows }: ChangeGroup, runs: number): Dot[][] {
  return Array.from({ length: runs }, (_, run) =>
    rows.flatMap(({ cells }, i): Dot[] => {
      const result = cells[run]?.result;
      if (result === undefined || result.change === null) return [];
      const [low, high] = result.interval ?? [result.change, result.change];
      // Runs of a task are below each other in its stripe, whose middle is a whole number.
      const y = i + ((run + 0.5) / runs - 0.5) * 0.7;
      return [{ x: result.change, y, low, high, text: changeWithInterval(result) }];
    }),
  );
}

export function changeChart(
  group: ChangeGroup,
  labels: readonly string[],
  theme: Theme,
): { drawing: Drawing; points: number } {
  const dots = dotsOf(group, labels.length);
  const values = dots.flat().flatMap(({ low, high }) => [low, high]);
  const [min, max] = [Math.min(0, ...values), Math.max(0, ...values)];
  const room = (max - min) * 0.06 || 0.01;
  const drawing: Drawing = {
    type: 'scatter',
    data: {
      datasets: dots.map((data, run) => {
        const { color, point } = curveStyle(run, theme.kind);
        return {
          label: labels[run] ?? '',
          data,
          borderColor: color,
          backgroundColor: color,
          pointStyle: point,
          pointRadius: 5,
          pointHoverRadius: 7,
          pointBorderWidth: 1.5,
        };
      }),
    },
    options: {
      ...commonOptions,
      scales: {
        x: axis({
          label: `change in ${unitName(group.unit)} (better to the right)`,
          theme,
          reverse: !group.higherIsBetter,
          ends: { min: min - room, max: max + room },
        }),
        y: taskAxis(group, theme),
      },
      plugins: {
        legend: { display: false },
        tooltip: {
          ...tooltipColors(theme),
          callbacks: {
            title: (items) =>
              items.map(({ parsed }) => group.rows[Math.round(parsed.y ?? 0)]?.task ?? ''),
            label: ({ dataset, raw }) => ` ${dataset.label ?? ''}: ${(raw as Dot).text}`,
          },
        },
      },
    },
    below: (chart) => drawIntervals(chart, dots, theme),
  };
  return { drawing, points: dots.flat().length };
}

function taskAxis({ rows }: ChangeGroup, theme: Theme): ReturnType<typeof axis> {
  return {
    type: 'linear',
    reverse: true,
    min: -0.5,
    max: rows.length - 0.5,
    grid: { display: false },
    border: { display: false },
    afterBuildTicks: (scale) => {
      scale.ticks = rows.map((_, value) => ({ value }));
    },
    ticks: {
      color: theme.foreground,
      font: { family: theme.fontFamily, size: 12 },
      autoSkip: false,
      callback: (value) => rows[Number(value)]?.task ?? '',
    },
  };
}

function drawIntervals(
  chart: Chart<'line' | 'scatter'>,
  dots: readonly Dot[][],
  theme: Theme,
): void {
  const {
    ctx,
    chartArea,
    scales: { x, y },
  } = chart;
  if (x === undefined || y === undefined) return;
  ctx.save();
  ctx.strokeStyle = theme.foreground;
  ctx.beginPath();
  ctx.moveTo(x.getPixelForValue(0), chartArea.top);
  ctx.lineTo(x.getPixelForValue(0), chartArea.bottom);
  ctx.stroke();
  dots.forEach((own, run) => {
    ctx.strokeStyle = curveStyle(run, theme.kind).color;
    ctx.lineWidth = 2;
    ctx.beginPath();
    for (const dot of own) {
      const at = y.getPixelForValue(dot.y);
      ctx.moveTo(x.getPixelForValue(dot.low), at);
      ctx.lineTo(x.getPixelForValue(dot.high), at);
    }
    ctx.stroke();
  });
  ctx.restore();
}
