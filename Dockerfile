# The service: an image that holds Python, its libraries and the judge, and no other program, no shell either. It runs as
# nobody in particular, on a read-only root file system, and fetches nothing:
#
#   docker build -t canary-judge .
#   docker run --read-only --cap-drop ALL -v judge-data:/data -p 8080:8080 -e JUDGE_PROMETHEUS_URL=http://prometheus:9090 canary-judge
#
# The same sources give the same files, bit for bit, on the same base image. For a release name that one by its digest, and let
# BuildKit set the times of the layers too (SECURITY.md says how to compare):
#
#   docker buildx build --build-arg BASE=python:3.13-slim@sha256:… --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) \
#     --output type=docker,rewrite-timestamp=true -t canary-judge .

ARG BASE=python:3.13-slim

FROM ${BASE} AS build

# What would differ from build to build: times, the order of sets, and what pip leaves behind.
ARG SOURCE_DATE_EPOCH=1767225600
ENV SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} \
    PYTHONHASHSEED=0 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /src
# The locked packages come before the sources, so that a change of ours does not fetch them again.
COPY requirements.txt ./
RUN python -m venv /opt/judge \
    && /opt/judge/bin/pip install --no-compile --require-hashes -r requirements.txt
COPY LICENSE README.md pyproject.toml ./
COPY judge judge
RUN /opt/judge/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/judge/bin/pip install --no-compile --no-deps /dist/*.whl \
    && /opt/judge/bin/pip uninstall --yes hatchling editables trove-classifiers pip
COPY configs /etc/judge/configs
COPY sbom.cdx.json requirements.txt /opt/judge/share/canary-judge/
# Compiled here, since nothing can be written later; by content and not by time, so that it is the same everywhere.
RUN find /opt/judge -name __pycache__ -prune -exec rm -rf {} + \
    && python -m compileall -q -j 1 --invalidation-mode unchecked-hash /opt/judge/lib \
    && chmod -R u=rwX,go=rX /opt/judge /etc/judge \
    && find /opt/judge /etc/judge -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} + \
    && printf 'judge:x:10001:10001::/data:/nonexistent\n' >> /etc/passwd \
    && printf 'judge:x:10001:\n' >> /etc/group \
    && mkdir -p /volume/data


FROM ${BASE} AS trimmed

COPY --from=build /etc/passwd /etc/group /etc/
COPY --from=build /opt/judge /opt/judge
COPY --from=build /etc/judge /etc/judge
# No shell, package manager or installer. Debian's list of packages and its licences stay: scanners and lawyers read them.
RUN rm -rf /usr/lib/apt /usr/lib/dpkg /var/lib/apt /var/cache /var/log \
        /usr/local/lib/python3.*/site-packages /usr/local/lib/python3.*/ensurepip /usr/local/lib/python3.*/idlelib \
    && find /usr/local/bin -mindepth 1 ! -name 'python*' -delete \
    && find /usr/local/sbin /usr/sbin /usr/bin -mindepth 1 -delete


FROM scratch

LABEL org.opencontainers.image.title="canary-judge" \
      org.opencontainers.image.description="Tells a rollout controller whether a canary is worse than its baseline." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=trimmed / /
# /data is the one place that is written to and kept; /dev/shm is memory, for what lives as long as a worker.
COPY --from=build --chown=10001:10001 /volume/ /

ENV PATH=/opt/judge/bin:/usr/local/bin \
    HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/dev/shm \
    GUNICORN_CMD_ARGS="--worker-tmp-dir /dev/shm" \
    JUDGE_CONFIG_DIR=/etc/judge/configs \
    JUDGE_ARCHIVE_URL=sqlite:////data/judge.sqlite

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080

# A proxy that the environment names must not be asked for our own address.
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener; build_opener(ProxyHandler({})).open('http://127.0.0.1:8080/healthz', timeout=3)"]

ENTRYPOINT ["judge"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
