import type { Panel, View } from '../panel.ts';
import { curves, number } from '../panel.ts';
import { ratio, services, since } from '../query.ts';

/** How events get from the machines to the broker, and how the programs fare. */
export function pipelineView(): View {
  return {
    name: 'pipeline',
    title: 'Pipeline',
    description: 'Frames on their way to the broker, back-pressure, and the health of the programs.',
    about: { programs: 'process_resident_memory_bytes' },
    marks: [
      {
        name: 'Broker gone',
        query: services.smallest('s2lab_pipeline_broker_reachable', ['instance']),
        when: 'zero',
        text: '{{instance}}',
        color: 'red',
        shown: true,
      },
    ],
    headline: headline(),
    rows: [
      { title: 'Frames', panels: frames() },
      { title: 'Back-pressure', panels: backPressure() },
      { title: 'Programs', panels: programs() },
    ],
  };
}

function headline(): Panel[] {
  return [
    number({
      id: 1,
      title: 'Brokers reached',
      unit: 'percentunit',
      width: 6,
      description: 'Share of the fleets that reach their broker. While one does not, its simulated time stands still and nothing is lost.',
      queries: [
        {
          query: ratio(services.total('s2lab_pipeline_broker_reachable'), services.count('s2lab_pipeline_broker_reachable')),
          legend: 'reached',
        },
      ],
    }),
    number({
      id: 2,
      title: 'Bytes written',
      unit: 'Bps',
      width: 6,
      description: 'Compressed bytes that sinks wrote, per second of wall time.',
      queries: [{ query: services.perSecond('s2lab_pipeline_bytes_total'), legend: 'bytes' }],
    }),
    number({
      id: 3,
      title: 'Bytes per event',
      unit: 'bytes',
      width: 6,
      decimals: 1,
      description: 'Compressed bytes per event on the wire. “–” while nothing is written.',
      queries: [
        {
          query: ratio(services.perSecond('s2lab_pipeline_bytes_total'), services.perSecond('s2lab_pipeline_events_total')),
          legend: 'bytes',
        },
      ],
    }),
    number({
      id: 4,
      title: 'Sinks stalled',
      unit: 'short',
      width: 6,
      bad: { red: 1 },
      description: 'Sinks whose last write has taken longer than a second.',
      queries: [{ query: services.total('s2lab_pipeline_sink_stalled'), legend: 'stalled' }],
    }),
  ];
}

function frames(): Panel[] {
  return [
    curves({
      id: 101,
      title: 'Events written',
      unit: 'cps',
      width: 8,
      description: 'Events that sinks accepted, per second of wall time, by fleet and sink.',
      queries: [{ query: services.perSecond('s2lab_pipeline_events_total', ['instance', 'sink']), legend: '{{instance}} to {{sink}}' }],
    }),
    curves({
      id: 102,
      title: 'Throughput',
      unit: 'Bps',
      width: 8,
      description: 'Compressed bytes that sinks wrote, per second of wall time, by fleet and sink.',
      queries: [{ query: services.perSecond('s2lab_pipeline_bytes_total', ['instance', 'sink']), legend: '{{instance}} to {{sink}}' }],
    }),
    curves({
      id: 103,
      title: 'Frame size',
      unit: 'bytes',
      width: 8,
      description:
        'Mean compressed bytes of a frame, which is one message. The broker refuses messages above 1 MiB. No curve while nothing is written.',
      queries: [
        {
          query: ratio(
            services.perSecond('s2lab_pipeline_bytes_total', ['sink']),
            services.perSecond('s2lab_pipeline_frames_total', ['sink']),
          ),
          legend: '{{sink}}',
        },
      ],
    }),
    curves({
      id: 104,
      title: 'Events per frame',
      unit: 'short',
      width: 12,
      description:
        'Mean number of events in a frame written. Frames are filled up to 65,536 events; slow runs send smaller ones. No curve while nothing is written.',
      queries: [
        {
          query: ratio(
            services.perSecond('s2lab_pipeline_events_total', ['sink']),
            services.perSecond('s2lab_pipeline_frames_total', ['sink']),
          ),
          legend: '{{sink}}',
        },
      ],
    }),
    curves({
      id: 105,
      title: 'Speed asked for and reached',
      unit: 'short',
      width: 12,
      description: 'Virtual seconds per wall second. A speed asked for of 0 means as fast as it goes.',
      queries: [
        { query: services.largest('s2lab_speed_ratio', ['kind']), legend: '{{kind}}' },
        { query: services.perSecond('s2lab_virtual_time_seconds_total', ['instance']), legend: '{{instance}}, over all machines' },
      ],
    }),
  ];
}

function backPressure(): Panel[] {
  return [
    curves({
      id: 201,
      title: 'Time waited for sinks',
      unit: 'percentunit',
      width: 8,
      bad: { yellow: 0.5, red: 0.9 },
      description: 'Share of wall time that the simulation waited for its sink. Near 1 the broker, and not the simulation, sets the pace.',
      queries: [
        {
          query: services.perSecond('s2lab_pipeline_backpressure_seconds_total', ['instance', 'sink']),
          legend: '{{instance}} for {{sink}}',
        },
      ],
    }),
    curves({
      id: 202,
      title: 'Broker reachable',
      unit: 'bool_yes_no',
      width: 8,
      max: 1,
      description: '1 while the broker acknowledges what the fleet sends.',
      queries: [{ query: services.smallest('s2lab_pipeline_broker_reachable', ['instance']), legend: '{{instance}}' }],
    }),
    curves({
      id: 203,
      title: 'Programs scraped',
      unit: 'short',
      width: 8,
      description: 'Programs that answered Prometheus’ last scrape, by job.',
      queries: [{ query: services.total('up', ['job']), legend: '{{job}}' }],
    }),
  ];
}

function programs(): Panel[] {
  return [
    curves({
      id: 301,
      title: 'Processor',
      unit: 'percentunit',
      width: 6,
      description: 'Processor time per second of wall time: 1 is one core.',
      queries: [{ query: services.perSecond('process_cpu_seconds_total', ['job', 'instance']), legend: '{{job}} {{instance}}' }],
    }),
    curves({
      id: 302,
      title: 'Memory',
      unit: 'bytes',
      width: 6,
      description: 'Resident memory, and the JavaScript heap in use. The containers’ limit is S2LAB_APP_MEMORY.',
      queries: [
        { query: services.largest('process_resident_memory_bytes', ['job', 'instance']), legend: '{{job}} {{instance}}' },
        { query: services.largest('nodejs_heap_size_used_bytes', ['job', 'instance']), legend: '{{job}} {{instance}}, heap' },
      ],
    }),
    curves({
      id: 303,
      title: 'Event loop lag',
      unit: 's',
      width: 6,
      bad: { yellow: 0.1, red: 1 },
      description: '99th percentile of how late timers run. A verifier that folds large frames is late by the time of one frame.',
      queries: [{ query: services.largest('nodejs_eventloop_lag_p99_seconds', ['job', 'instance']), legend: '{{job}} {{instance}}' }],
    }),
    curves({
      id: 304,
      title: 'Garbage collection',
      unit: 'percentunit',
      width: 6,
      description: 'Share of wall time spent in garbage collection, by program.',
      queries: [{ query: services.observedPerSecond('nodejs_gc_duration_seconds', ['job', 'instance']), legend: '{{job}} {{instance}}' }],
    }),
    curves({
      id: 305,
      title: 'Time since start',
      unit: 's',
      width: 24,
      description: 'Wall time since the process started. A saw tooth is a program that ends and is started again.',
      queries: [{ query: since(services.largest('process_start_time_seconds', ['job', 'instance'])), legend: '{{job}} {{instance}}' }],
    }),
  ];
}
