import type { DataFrame, DataQueryRequest, DataSourceInstanceSettings, MetricFindValue } from '@grafana/data';
import { DataSourceApi, FieldType } from '@grafana/data';
import { getBackendSrv, getTemplateSrv } from '@grafana/runtime';
import type { Stage2StateJson } from '@s2lab/stage2-map';
import { stateToTable, TABLE_COLUMNS } from '@s2lab/stage2-map';
import type { Stage2Query, Stage2Settings } from './stage2-query.ts';
import { DEFAULT_QUERY } from './stage2-query.ts';

/** Most machines that the fleet lists at once. */
const MACHINES_MAX = 100;

/** As much of a machine in the fleet's list as is shown. */
interface ListedMachine {
  readonly machine: number;
  readonly policy: string;
  readonly kind: string;
}

/** Reads the stage-2 of a fleet's machines through Grafana's proxy. Each answer is one frame: a row a run of slots, all else in `meta.custom`. */
export class Stage2DataSource extends DataSourceApi<Stage2Query, Stage2Settings> {
  private readonly url: string;
  private readonly explorerUrl: string;

  constructor(settings: DataSourceInstanceSettings<Stage2Settings>) {
    super(settings);
    this.url = settings.url ?? '';
    this.explorerUrl = settings.jsonData.explorerUrl ?? '';
  }

  async query({ targets, scopedVars }: DataQueryRequest<Stage2Query>): Promise<{ readonly data: readonly DataFrame[] }> {
    const asked = targets.filter((target) => target.hide !== true && this.filterQuery(target));
    return { data: await Promise.all(asked.map(async (target) => this.frameOf(target, scopedVars))) };
  }

  /** A query without a machine is not sent. */
  override filterQuery({ machine }: Stage2Query): boolean {
    return machine !== undefined && machine !== '';
  }

  override getDefaultQuery(): Partial<Stage2Query> {
    return DEFAULT_QUERY;
  }

  async testDatasource(): Promise<{ readonly status: 'success' | 'error'; readonly message: string }> {
    const machines = await this.machines();
    return { status: 'success', message: `The fleet answers; it has ${machines.length} machines.` };
  }

  /** Values for a variable: `explorer` gives the address of the explorer, everything else the machines. */
  override async metricFindQuery(query: unknown): Promise<MetricFindValue[]> {
    if (query === 'explorer') return [{ text: this.explorerUrl, value: this.explorerUrl }];
    const machines = await this.machines();
    return machines.map(({ machine, policy, kind }) => ({ text: `${machine} (${policy}, ${kind})`, value: String(machine) }));
  }

  private async machines(): Promise<readonly ListedMachine[]> {
    const { machines } = await getBackendSrv().get<{ readonly machines: readonly ListedMachine[] }>(`${this.url}/api/machines`, {
      limit: String(MACHINES_MAX),
    });
    return machines.toSorted((a, b) => a.machine - b.machine);
  }

  private async frameOf(target: Stage2Query, scopedVars: Readonly<Record<string, unknown>>): Promise<DataFrame> {
    const filled = (text: string | undefined): string =>
      getTemplateSrv()
        .replace(text ?? '', scopedVars)
        .trim();
    const params = Object.fromEntries(
      (['vmid', 'from', 'to', 'maxRuns'] as const).map((name) => [name, filled(target[name])] as const).filter(([, value]) => value !== ''),
    );
    const machine = encodeURIComponent(filled(target.machine));
    const json = await getBackendSrv().get<Stage2StateJson>(`${this.url}/api/machines/${machine}/stage2`, params);
    const { head, columns } = stateToTable(json);
    return {
      name: `machine ${json.origin.machine}`,
      refId: target.refId,
      length: columns.level.length,
      fields: TABLE_COLUMNS.map((name) => ({ name, type: FieldType.number, config: {}, values: columns[name] })),
      meta: { custom: { stage2: head, timeMs: Date.now(), explorerUrl: this.explorerUrl } },
    };
  }
}
