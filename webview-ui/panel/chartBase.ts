/**
 * The one file that sets Chart.js up: what is registered, what every chart of the panel has in common,
 * and how a chart becomes a picture. A chart lives in a canvas that its page keeps, so that drawing
 * the page again does not create it again.
 */
import {
  Chart,
  Decimation,
  Legend,
  LinearScale,
  LineController,
  LineElement,
  LogarithmicScale,
  PointElement,
  ScatterController,
  Title,
  Tooltip,
  type ChartData,
  type ChartOptions,
  type LegendItem,
  type Plugin,
} from 'chart.js';
import { formatNumber } from '../../src/protocol/format.js';
import type { Theme } from '../shared/theme.js';

Chart.register(
  Decimation,
  Legend,
  LinearScale,
  LineController,
  LineElement,
  LogarithmicScale,
  PointElement,
  ScatterController,
  Title,
  Tooltip,
);

type PanelChart = Chart<'line' | 'scatter'>;

/** What a canvas shows. */
export interface Drawing {
  type: 'line' | 'scatter';
  data: ChartData<'line' | 'scatter'>;
  options: ChartOptions<'line' | 'scatter'>;
  /** Drawn under the lines, and over them. */
  below?: (chart: PanelChart) => void;
  above?: (chart: PanelChart) => void;
}

export interface ChartView {
  canvas: HTMLCanvasElement;
  /** What holds the canvas and gives it its size. */
  box: HTMLElement;
  /** Does nothing where `version` is what was drawn last. */
  draw(drawing: Drawing, version: string): void;
  destroy(): void;
}

export function createChartView(): ChartView {
  const canvas = document.createElement('canvas');
  canvas.setAttribute('role', 'img');
  const box = document.createElement('div');
  box.className = 'canvas-box';
  box.append(canvas);
  let chart: PanelChart | undefined;
  let current: Drawing | undefined;
  let drawn: string | undefined;
  return {
    canvas,
    box,
    draw: (drawing, version) => {
      if (version === drawn) return;
      drawn = version;
      current = drawing;
      if (chart === undefined) {
        const { type, data, options } = drawing;
        chart = new Chart(canvas, { type, data, options, plugins: [layers(() => current)] });
        return;
      }
      // In place, so that the tooltip under the pointer stays while a run continues.
      chart.data = drawing.data;
      chart.options = drawing.options;
      chart.update('none');
    },
    destroy: () => chart?.destroy(),
  };
}

function layers(current: () => Drawing | undefined): Plugin<'line' | 'scatter'> {
  return {
    id: 'layers',
    beforeDatasetsDraw: (chart) => current()?.below?.(chart),
    afterDatasetsDraw: (chart) => current()?.above?.(chart),
  };
}

const picture = { width: 900, height: 500, scale: 2 };

/** The chart as a PNG with title, legend and ground, base64. */
export function toPng(drawing: Drawing, title: string, theme: Theme): string {
  const canvas = document.createElement('canvas');
  canvas.width = picture.width;
  canvas.height = picture.height;
  const { type, data, options } = drawing;
  const chart = new Chart(canvas, {
    type,
    data,
    options: {
      ...options,
      responsive: false,
      devicePixelRatio: picture.scale,
      layout: { padding: 16 },
      plugins: {
        ...options.plugins,
        title: {
          display: true,
          text: title,
          color: theme.foreground,
          font: { size: 16, family: theme.fontFamily },
        },
        legend: {
          display: data.datasets.length > 1,
          position: 'bottom',
          labels: {
            color: theme.foreground,
            usePointStyle: true,
            pointStyleWidth: type === 'line' ? 36 : 10,
            boxHeight: 6,
            font: { family: theme.fontFamily },
            filter: ({ text }) => text !== '',
            sort: (a, b) => (a.datasetIndex ?? 0) - (b.datasetIndex ?? 0),
            ...(type === 'line' && { generateLabels: lineLabels }),
          },
        },
      },
    },
    plugins: [layers(() => drawing), ground(theme.background)],
  });
  const address = canvas.toDataURL('image/png');
  chart.destroy();
  return address.slice(address.indexOf(',') + 1);
}

/** Pieces of the lines, dashes and all; Chart.js itself draws only their points. */
function lineLabels(chart: Chart): LegendItem[] {
  return Chart.defaults.plugins.legend.labels.generateLabels(chart).map((item) => {
    const dataset = chart.data.datasets[item.datasetIndex ?? 0];
    const lineDash = dataset && 'borderDash' in dataset ? (dataset.borderDash as number[]) : [];
    return { ...item, pointStyle: 'line', lineWidth: 2, lineDash };
  });
}

function ground(color: string): Plugin<'line' | 'scatter'> {
  return {
    id: 'ground',
    beforeDraw: ({ ctx, width, height }) => {
      ctx.save();
      ctx.fillStyle = color;
      ctx.fillRect(0, 0, width, height);
      ctx.restore();
    },
  };
}

export interface AxisOptions {
  label: string;
  theme: Theme;
  /** Puts smaller values above, or to the right of, larger ones. */
  reverse?: boolean;
  log?: boolean;
  grid?: boolean;
  integers?: boolean;
  /** Where it begins and ends. */
  ends?: { min: number; max: number };
}

type Scales = NonNullable<ChartOptions<'line' | 'scatter'>['scales']>;

export function axis(options: AxisOptions): Scales[string] {
  const { label, theme, reverse = false, log = false, grid = true, integers, ends } = options;
  const font = { family: theme.fontFamily, size: 11 };
  return {
    type: log ? 'logarithmic' : 'linear',
    reverse,
    title: { display: true, text: label, color: theme.muted, font },
    grid: { display: grid, color: gridColor(theme) },
    border: { display: true, color: gridColor(theme) },
    ...ends,
    ticks: {
      color: theme.muted,
      font,
      maxTicksLimit: 8,
      maxRotation: 0,
      ...(integers === true ? { precision: 0 } : {}),
      // Even numbers alone; where the axis ends is seen.
      includeBounds: false,
      callback: (value) => (log && !isRound(Number(value)) ? '' : formatNumber(Number(value), 3)),
    },
  };
}

/** 1, 2 or 5 times a power of ten. */
function isRound(value: number): boolean {
  return /^[125]e/.test(value.toExponential());
}

/** Borders of high-contrast themes are too loud for a grid. */
function gridColor({ kind, grid }: Theme): string {
  if (kind === 'high-contrast') return '#ffffff40';
  return kind === 'high-contrast-light' ? '#00000040' : grid;
}

/** What all charts share; nothing moves, so there is nothing to reduce for who prefers that. */
export const commonOptions = {
  animation: false,
  maintainAspectRatio: false,
  parsing: false,
  normalized: true,
} as const satisfies ChartOptions<'line' | 'scatter'>;

export function tooltipColors(theme: Theme): Record<string, unknown> {
  return {
    backgroundColor: theme.background,
    borderColor: theme.muted,
    borderWidth: 1,
    titleColor: theme.foreground,
    bodyColor: theme.foreground,
    bodyFont: { family: theme.fontFamily },
    titleFont: { family: theme.fontFamily },
    padding: 8,
    boxPadding: 4,
    usePointStyle: true,
  };
}

/** A colour of the palette with less of it, `#rrggbb` → `#rrggbbaa`. */
export function faint(color: string): string {
  return `${color}55`;
}
