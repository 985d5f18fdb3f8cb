# readbench on a CPU: docker build -f docker/cpu.Dockerfile -t readbench . && docker run --rm -v "$PWD/runs:/work/runs" readbench run --suite reasoning
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN python -m venv /opt/readbench \
    && /opt/readbench/bin/pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -c constraints.txt .

FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends bubblewrap && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home readbench
COPY --from=build /opt/readbench /opt/readbench
ENV PATH=/opt/readbench/bin:$PATH
USER readbench
WORKDIR /work
ENTRYPOINT ["readbench"]
CMD ["--help"]
