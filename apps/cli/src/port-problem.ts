import { UsageError } from './usage-error.ts';

/** What the operating system said about a port, with what to do; any other error as it is. */
export function portProblem(error: unknown, { host, port }: { readonly host: string; readonly port: number }): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    return new UsageError(`port ${port} on ${host} is in use; choose another one with --port, or --port 0 for any`, { cause: error });
  if (code === 'EACCES')
    return new UsageError(`port ${port} on ${host} may not be used; choose one above 1023 with --port`, { cause: error });
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND')
    return new UsageError(`${host} is no address of this machine; choose another one with --host`, { cause: error });
  return error;
}
