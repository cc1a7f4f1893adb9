import type { PanelProps } from '@grafana/data';
import { getDataSourceSrv } from '@grafana/runtime';
import type { MapView } from '@s2lab/stage2-map';
import { spliceDetail } from '@s2lab/stage2-map';
import { useEffect, useState } from 'react';
import type { ReceivedState } from './frame-state.ts';
import { stateOfFrame } from './frame-state.ts';
import type { MapOptions } from './options.ts';

/** How long a view stands still before its details are asked for, ms. */
const STANDS_MS = 250;

/**
 * What to draw: the state itself, or, when the answer was bounded and a part of it is looked at, that part in detail. While details are on
 * their way the picture before stays.
 * @param view what is looked at; undefined = all
 */
export function useDetail(props: PanelProps<MapOptions>, shown: ReceivedState, view: MapView | undefined, back: boolean): ReceivedState {
  const [ready, setReady] = useState(shown);
  const wanted = !shown.state.exact && view !== undefined && !back;
  useEffect(() => {
    if (!wanted) {
      setReady(shown);
      return undefined;
    }
    let over = false;
    const timer = setTimeout(() => {
      void detailOf(props, shown, view).then(
        (detailed) => {
          if (!over) setReady(detailed);
        },
        // The fleet may be gone; what was received is still true.
        () => {
          if (!over) setReady(shown);
        },
      );
    }, STANDS_MS);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [shown, view, wanted]);
  const same = ready.state.origin.run === shown.state.origin.run && ready.state.origin.machine === shown.state.origin.machine;
  return wanted && same ? ready : shown;
}

/** Asks the data source again, for what is looked at and as much on either side. */
async function detailOf({ data }: PanelProps<MapOptions>, shown: ReceivedState, view: MapView): Promise<ReceivedState> {
  const { request } = data;
  const target = request?.targets.find(({ refId }) => refId === shown.refId);
  if (request === undefined || target === undefined) return shown;
  const range = view.to - view.from;
  const from = String(Math.max(0, Math.floor(view.from - range)));
  const to = String(Math.ceil(view.to + range));
  const source = await getDataSourceSrv().get(target.datasource);
  const { data: frames } = await source.query({ ...request, targets: [Object.assign({}, target, { from, to })] });
  const detail = frames.map(stateOfFrame).find((one) => one !== undefined);
  return detail === undefined ? shown : { ...shown, state: spliceDetail(shown.state, detail.state), timeMs: detail.timeMs };
}
