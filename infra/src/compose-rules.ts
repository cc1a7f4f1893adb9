/** What is read of one service of a Compose file. */
export interface Service {
  readonly image?: string;
  readonly build?: string | { readonly context: string; readonly dockerfile?: string };
  readonly profiles?: readonly string[];
  readonly container_name?: string;
  readonly user?: string;
  readonly restart?: string;
  readonly init?: boolean;
  readonly mem_limit?: string;
  readonly privileged?: boolean;
  readonly network_mode?: string;
  readonly pull_policy?: string;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly healthcheck?: { readonly test?: readonly string[]; readonly start_interval?: string };
  readonly depends_on?: Readonly<Record<string, { readonly condition?: string }>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
}

/** A Compose file, parsed, with merge keys resolved. */
export interface ComposeFile {
  readonly name?: string;
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes?: Readonly<Record<string, unknown>>;
}

/** Images that may be named. All of them run as a user other than root by themselves. */
const IMAGES = [/^apache\/kafka:4\.\d+\.\d+$/, /^prom\/prometheus:v3\.\d+\.\d+$/];

/** Dockerfiles of the project, from its root. */
export function dockerfileOf({ build }: Service): string | undefined {
  if (build === undefined) return undefined;
  const { context, dockerfile } = typeof build === 'string' ? { context: build } : { dockerfile: undefined, ...build };
  const folder = context.replace(/^\.\/?/, '');
  // Compose looks for the file from its context on.
  return [folder, dockerfile ?? 'Dockerfile'].filter((part) => part !== '').join('/');
}

/** Services that must scale: no name and no port of the host may be fixed for them. */
const SCALED = ['fleet', 'verifier'];

/**
 * What breaks the rules of the stack in a Compose file: health checks, start in dependency order, restart, bounded memory, nobody is root,
 * ports on loopback only, nothing left behind by `down -v`, scaling, and what older Compose versions refuse.
 * @returns one sentence per fault; empty when there is none.
 */
export function composeFaults(file: ComposeFile): string[] {
  const faults = file.name === undefined ? [] : ['top-level name: docker-compose 1.29 refuses it'];
  for (const [name, service] of Object.entries(file.services)) {
    const checks = [...identity(service), ...life(service, file), ...reach(name, service), ...storage(service, file)];
    faults.push(...checks.map((fault) => `${name}: ${fault}`));
  }
  return faults;
}

function identity({ image, build, user, privileged, cap_drop: dropped, security_opt: security, pull_policy: pull }: Service): string[] {
  const faults: string[] = [];
  if (image === undefined && build === undefined) faults.push('neither image nor build');
  if (image !== undefined && !IMAGES.some((allowed) => allowed.test(image)))
    faults.push(`image ${image} is not one of those that are known`);
  if (user !== undefined && /^(root|0)(:|$)/.test(user)) faults.push('runs as root');
  if (privileged === true) faults.push('is privileged');
  if (!dropped?.includes('ALL')) faults.push('keeps capabilities');
  if (!security?.includes('no-new-privileges:true')) faults.push('may gain privileges');
  if (pull === 'always') faults.push('pulls at every start');
  return faults;
}

function life({ restart, init, mem_limit: memory, healthcheck, depends_on: needs = {} }: Service, file: ComposeFile): string[] {
  const faults: string[] = [];
  if (restart !== 'unless-stopped') faults.push('is not restarted');
  if (init !== true) faults.push('has no init process');
  if (memory === undefined) faults.push('has no memory limit');
  if (healthcheck?.test?.[0] !== 'CMD') faults.push('has no health check that runs a program');
  if (healthcheck?.start_interval !== undefined) faults.push('start_interval: docker-compose 1.29 refuses it');
  for (const [other, { condition }] of Object.entries(needs)) {
    if (condition !== 'service_healthy') faults.push(`does not wait until ${other} is healthy`);
    if (file.services[other] === undefined) faults.push(`depends on ${other}, which is no service`);
  }
  return faults;
}

function reach(name: string, { ports = [], container_name: container, network_mode: network }: Service): string[] {
  const faults: string[] = [];
  const scaled = SCALED.includes(name);
  if (scaled && container !== undefined) faults.push('cannot be scaled: its container has a fixed name');
  if (network !== undefined) faults.push(`leaves the network of the stack for ${network}`);
  for (const port of ports) {
    if (!port.startsWith('127.0.0.1:')) faults.push(`port ${port} is not bound to loopback`);
    if (scaled && !/^127\.0\.0\.1::\d+$/.test(port)) faults.push(`cannot be scaled: port ${port} of the host is fixed`);
  }
  return faults;
}

function storage({ volumes = [] }: Service, file: ComposeFile): string[] {
  const faults: string[] = [];
  for (const volume of volumes) {
    const [source = '', , mode] = volume.split(':');
    if (source.startsWith('/')) faults.push(`volume ${volume} binds an absolute path of the host`);
    else if (source.startsWith('.')) {
      if (mode !== 'ro') faults.push(`volume ${volume} can write into the project`);
    } else if (file.volumes === undefined || !(source in file.volumes)) faults.push(`volume ${source} is not declared`);
    else if (file.volumes[source] !== null) faults.push(`volume ${source} has settings: \`down -v\` keeps external volumes`);
  }
  return faults;
}

/** A variable that a text takes from the environment, with its default. */
export interface Variable {
  readonly name: string;
  readonly fallback: string;
}

/**
 * Variables of the form `${NAME:-default}`, in order of appearance, each appearance.
 * @throws when a variable has no default, as Compose would then start the stack with an empty text.
 */
export function variablesOf(text: string): Variable[] {
  return [...text.matchAll(/(?<!\$)\$(?:\{([^}]*)\}|(\w+))/g)].map(([whole, inside = '']) => {
    const [, name, fallback] = /^(\w+):-(.*)$/.exec(inside) ?? [];
    if (name === undefined || fallback === undefined) throw new Error(`${whole} has no default`);
    return { name, fallback };
  });
}
