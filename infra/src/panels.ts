import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode,
  BigValueGraphMode,
  GraphDrawStyle,
  GraphThresholdsStyleMode,
  GraphThresholdsStyleConfigBuilder,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  type Panel as GrafanaPanel,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as HeatMapBuilder, YAxisConfigBuilder } from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import type { CurvesPanel, HeatMapPanel, Limits, NumberPanel, Panel, PanelQuery } from '@s2lab/dashboards';
import { promql } from '@s2lab/dashboards';

/** The provisioned data source, as the variable of every dashboard names it. */
export const DATA_SOURCE = { type: 'prometheus', uid: '${datasource}' } as const;

const CURVES_HEIGHT = 8;
const NUMBER_HEIGHT = 4;

/** A panel of a view as Grafana wants it. */
export function grafanaPanel(panel: Panel): Builder<GrafanaPanel> {
  switch (panel.kind) {
    case 'curves':
      return curves(panel);
    case 'number':
      return number(panel);
    case 'heatMap':
      return heatMap(panel);
  }
}

/** Curves over time, with a legend that tells the last and the largest value. */
function curves(spec: CurvesPanel): TimeSeriesBuilder {
  const panel = new TimeSeriesBuilder()
    .id(spec.id)
    .title(spec.title)
    .description(spec.description)
    .datasource(DATA_SOURCE)
    .unit(spec.unit)
    .min(0)
    .height(CURVES_HEIGHT)
    .span(spec.width)
    .drawStyle(GraphDrawStyle.Line)
    .lineWidth(1)
    .fillOpacity(10)
    .showPoints(VisibilityMode.Never)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['lastNotNull', 'max']),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
  if (spec.max !== undefined) panel.max(spec.max);
  if (spec.bad)
    panel.thresholds(limits(spec.bad)).thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  if (spec.stacked === true) panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  return panel.targets(targets(spec.queries));
}

/** One number, with its recent course behind it. */
function number(spec: NumberPanel): StatBuilder {
  return new StatBuilder()
    .id(spec.id)
    .title(spec.title)
    .description(spec.description)
    .datasource(DATA_SOURCE)
    .unit(spec.unit)
    .decimals(spec.decimals ?? 0)
    .noValue('–')
    .height(NUMBER_HEIGHT)
    .span(spec.width)
    .thresholds(limits(spec.bad))
    .colorMode(spec.bad ? BigValueColorMode.Background : BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .targets(targets(spec.queries));
}

/** How often values fell into each bucket of a histogram, over time. Its only query is grouped by `le`. */
function heatMap(spec: HeatMapPanel): HeatMapBuilder {
  return new HeatMapBuilder()
    .id(spec.id)
    .title(spec.title)
    .description(spec.description)
    .datasource(DATA_SOURCE)
    .unit('short')
    .height(CURVES_HEIGHT)
    .span(spec.width)
    .yAxis(new YAxisConfigBuilder().unit(spec.unit))
    .targets(targets(spec.queries).map((target) => target.format(PromQueryFormat.Heatmap)));
}

function limits(bad: Limits | undefined): ThresholdsConfigBuilder {
  const steps: Threshold[] = [{ value: null, color: 'green' }];
  if (bad?.yellow !== undefined) steps.push({ value: bad.yellow, color: 'yellow' });
  if (bad) steps.push({ value: bad.red, color: 'red' });
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}

function targets(queries: readonly PanelQuery[]): DataqueryBuilder[] {
  return queries.map(({ query, legend }, i) =>
    new DataqueryBuilder()
      .refId(String.fromCharCode(65 + i))
      .datasource(DATA_SOURCE)
      .expr(promql(query))
      .legendFormat(legend)
      .range(),
  );
}
