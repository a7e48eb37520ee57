# The service, in two stages: a virtual environment is built from the hash-locked requirements and our own wheel, and only
# that environment is carried over. It runs as nobody in particular, on a read-only root file system:
#
#   docker build -t canary-judge .
#   docker run --read-only --cap-drop ALL -v judge-data:/data -p 8080:8080 -e JUDGE_PROMETHEUS_URL=http://prometheus:9090 canary-judge

FROM python:3.13-slim AS build

WORKDIR /src
# The locked packages come before the sources, so that a change of ours does not fetch them again.
COPY requirements.txt ./
RUN python -m venv /opt/judge \
    && /opt/judge/bin/pip install --no-cache-dir --require-hashes -r requirements.txt
COPY LICENSE README.md pyproject.toml ./
COPY judge judge
RUN /opt/judge/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/judge/bin/pip install --no-cache-dir --no-deps /dist/*.whl \
    && /opt/judge/bin/pip uninstall --yes hatchling editables trove-classifiers pip


FROM python:3.13-slim

# /data is the one place that is written to and kept; /dev/shm is memory, for what lives as long as a worker.
RUN groupadd --gid 10001 judge \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin judge \
    && install --directory --owner=10001 --group=10001 /data
COPY --from=build /opt/judge /opt/judge
COPY configs /etc/judge/configs

ENV PATH=/opt/judge/bin:$PATH \
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
