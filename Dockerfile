# One image for fleet and verifier. They run from their TypeScript source (Node strips the types): nothing is compiled.

FROM node:24-bookworm-slim AS source
WORKDIR /srv/s2lab
COPY . .
# A clone made under a strict umask must still be readable to the user below.
RUN chmod -R a+rX .

FROM source AS manifests
# Only what decides about the dependencies, so that the layer which installs them survives a change of source code. The tools of
# development (compilers and linters with binaries for every platform) are not asked for at all; versions still come from the lock file.
RUN find . -type f ! -name package.json ! -name package-lock.json -delete \
  && npm pkg delete devDependencies optionalDependencies --workspaces --include-workspace-root

FROM node:24-bookworm-slim AS dependencies
WORKDIR /srv/s2lab
COPY --from=manifests /srv/s2lab .
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund --workspace=@s2lab/fleet --workspace=@s2lab/verifier

FROM node:24-bookworm-slim
# kafkajs sets timers that are due already, which Node remarks upon once per process.
ENV NODE_ENV=production NODE_OPTIONS=--disable-warning=TimeoutNegativeWarning S2LAB_HTTP_HOST=0.0.0.0 S2LAB_HTTP_PORT=9464
WORKDIR /srv/s2lab
COPY --from=dependencies /srv/s2lab .
COPY --from=source /srv/s2lab .
USER node
EXPOSE 9464 9465
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=6 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.S2LAB_HTTP_PORT}/healthz`).then((a) => process.exit(a.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "apps/fleet/src/main.ts"]
