/**
 * The one file that sets Chart.js up: what is registered, what every chart of the panel has in common,
 * and how a chart becomes a picture. A chart lives in a canvas that its page keeps, so that drawing
 * the page again does not make it anew.
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
  /** Does nothing where `version` is what was drawn last. */
  draw(drawing: Drawing, version: string): void;
  destroy(): void;
}

export function createChartView(): ChartView {
  const canvas = document.createElement('canvas');
  canvas.setAttribute('role', 'img');
  let chart: PanelChart | undefined;
  let current: Drawing | undefined;
  let drawn: string | undefined;
  return {
    canvas,
    draw: (drawing, version) => {
      if (version === drawn) return;
      drawn = version;
      current = drawing;
      if (chart === undefined) {
        const { type, data, options } = drawing;
        chart = new Chart(canvas, { type, data, options, plugins: [layers(() => current)] });
        return;
      }
      // In place, so that what is under the pointer stays told while a run goes on.
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
            pointStyleWidth: 36,
            boxHeight: 6,
            font: { family: theme.fontFamily },
            filter: ({ text }) => text !== '',
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
  /** Lets smaller values stand above, or to the right of, larger ones. */
  reverse?: boolean;
  log?: boolean;
  grid?: boolean;
  integers?: boolean;
  /** What at least is on it. */
  reach?: { min: number; max: number };
  /** Where it begins and ends. */
  ends?: { min: number; max: number };
}

type Scales = NonNullable<ChartOptions<'line' | 'scatter'>['scales']>;

export function axis(options: AxisOptions): Scales[string] {
  const {
    label,
    theme,
    reverse = false,
    log = false,
    grid = true,
    integers,
    reach,
    ends,
  } = options;
  return {
    type: log ? 'logarithmic' : 'linear',
    reverse,
    title: { display: true, text: label, color: theme.muted },
    grid: { display: grid, color: theme.grid },
    border: { display: true, color: theme.grid },
    ...(reach === undefined ? {} : { suggestedMin: reach.min, suggestedMax: reach.max }),
    ...ends,
    ticks: {
      color: theme.muted,
      maxTicksLimit: 8,
      maxRotation: 0,
      ...(integers === true ? { precision: 0 } : {}),
      callback: (value) => formatNumber(Number(value), 3),
    },
  };
}

/** What all charts share; nothing moves, so there is nothing to reduce for who prefers that. */
export function commonOptions(theme: Theme): ChartOptions<'line' | 'scatter'> {
  return {
    animation: false,
    maintainAspectRatio: false,
    parsing: false,
    normalized: true,
    color: theme.foreground,
    font: { family: theme.fontFamily, size: 12 },
  };
}

export function tooltipColors(theme: Theme): Record<string, unknown> {
  return {
    backgroundColor: theme.background,
    borderColor: theme.muted,
    borderWidth: 1,
    titleColor: theme.foreground,
    bodyColor: theme.foreground,
    footerColor: theme.muted,
    padding: 8,
    boxPadding: 4,
    usePointStyle: true,
  };
}

/** A colour of the palette with less of it, `#rrggbb` → `#rrggbbaa`. */
export function faint(color: string): string {
  return `${color}55`;
}
