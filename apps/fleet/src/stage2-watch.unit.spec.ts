import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyRows } from '@s2lab/events';
import { builtinScenarios } from '@s2lab/scenarios';
import { captureStage2, stateToJson } from '@s2lab/stage2-map';
import { MachineView } from '@s2lab/timeline';
import { assembleFleet } from './assemble.ts';
import { Stage2Watch } from './stage2-watch.ts';

test('at every frame, the state of a running machine is the one that its log gives', async () => {
  const fleet = assembleFleet(builtinScenarios.get('smoke')!, { seed: 5, machineBase: 40 });
  const watch = new Stage2Watch(fleet);
  assert.equal(watch.lastSeqOf(40), -1);
  assert.equal(watch.stateOf(0, {}), undefined);
  const views = new Map(fleet.machines.map(({ machine }) => [machine, new MachineView()]));
  let pending = 0;
  let compared = 0;
  // Small stretches of virtual time, so that the frames are many.
  for (let limit = 20_000; !fleet.producer.done; limit += 20_000)
    for (let frame = fleet.producer.nextFrame(limit); frame !== undefined; frame = fleet.producer.nextFrame(limit)) {
      await watch.write(frame);
      const { run, machine, policy, machineKind } = frame.origin;
      const view = views.get(machine)!;
      view.fold(copyRows(frame.rows), frame.firstSeq);
      const state = watch.stateOf(machine, {})!;
      if (view.world === undefined) continue;
      assert.deepEqual(stateToJson(state), stateToJson(captureStage2(view, { run, machine, policy, machineKind })));
      assert.equal(watch.lastSeqOf(machine), view.nextSeq - 1);
      pending += state.pending.length;
      compared += 1;
    }
  assert.ok(compared > 20 && pending > 0, `${compared} compared, ${pending} pending`);
});
