// Runs inside a report: draws the charts of the data block, in the colours of the page's theme.
/* global Chart, document, getComputedStyle, matchMedia */
const data = JSON.parse(document.getElementById('report-data').textContent);
const dashes = [[], [7, 3], [2, 2], [9, 3, 2, 3], [4, 2], [1, 3]];
const points = ['circle', 'rect', 'triangle', 'rectRot', 'star', 'cross'];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function format(value) {
  if (value === 0) return '0';
  const text =
    Math.abs(value) >= 1e-3 ? String(Number(value.toPrecision(4))) : value.toExponential(1);
  return text.replace('-', '−');
}

function lines(series) {
  const stroke = colour(`--series-${series.style % 6}`);
  const line = {
    label: series.label,
    data: series.points.map(([x, y]) => ({ x, y })),
    borderColor: stroke,
    backgroundColor: stroke,
    borderDash: dashes[series.style % dashes.length],
    borderWidth: series.points.length > 40 ? 1.5 : 2,
    // Later lines on top: they are the dashed ones, and do not hide what is below.
    order: -series.style,
    pointStyle: points[series.style % points.length],
    pointRadius: series.points.length > 40 ? 0 : 3,
    tension: 0,
  };
  if (series.spread === undefined) return [line];
  const edge = (sign, fill) => ({
    band: true,
    label: '',
    data: series.points.map(([x, y], i) => ({ x, y: y + sign * series.spread[i] })),
    borderWidth: 0,
    order: 1,
    pointRadius: 0,
    pointHitRadius: 0,
    backgroundColor: `${stroke}2e`,
    fill,
  });
  return [line, edge(-1, false), edge(1, '-1')];
}

function axis(title, grid, text) {
  return {
    type: 'linear',
    title: { display: title !== '', text: title, color: text },
    grid: { color: grid },
    border: { display: false },
    ticks: { color: text, maxTicksLimit: 7, maxRotation: 0, callback: format },
  };
}

function draw(canvas, chart) {
  const text = colour('--muted');
  const grid = colour('--line');
  return new Chart(canvas, {
    type: 'line',
    data: { datasets: chart.series.flatMap(lines) },
    options: {
      animation: false,
      parsing: false,
      normalized: true,
      maintainAspectRatio: false,
      interaction: { mode: 'nearest', axis: 'x', intersect: false },
      scales: { x: axis('step', 'transparent', text), y: axis('', grid, text) },
      plugins: {
        legend: {
          display: chart.series.length > 1,
          position: 'bottom',
          labels: {
            color: colour('--text'),
            usePointStyle: true,
            pointStyleWidth: 32,
            boxHeight: 6,
            sort: (a, b) => a.datasetIndex - b.datasetIndex,
            filter: (item, { datasets }) => datasets[item.datasetIndex].band !== true,
            generateLabels: (owner) =>
              Chart.defaults.plugins.legend.labels.generateLabels(owner).map((item) => ({
                ...item,
                pointStyle: 'line',
                lineWidth: 2,
                lineDash: owner.data.datasets[item.datasetIndex].borderDash,
              })),
          },
        },
        tooltip: {
          filter: (item) => item.dataset.band !== true,
          callbacks: {
            title: (items) => (items.length > 0 ? `step ${Math.round(items[0].parsed.x)}` : ''),
            label: (item) => ` ${item.dataset.label}: ${format(item.parsed.y)}`,
          },
        },
      },
    },
  });
}

Chart.defaults.font.family = colour('--font');
Chart.defaults.font.size = 12;
let drawn = [];
function drawAll() {
  drawn.forEach((chart) => chart.destroy());
  drawn = data.charts.map((chart, i) => draw(document.getElementById(`chart-${i}`), chart));
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
drawAll();
