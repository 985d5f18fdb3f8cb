# readbench on a CPU: docker build -f docker/cpu.Dockerfile -t readbench .
# PIP_OPTIONS may name where torch's small build for CPUs is: --build-arg PIP_OPTIONS="--extra-index-url ...". Without it torch brings CUDA.
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
ARG PIP_OPTIONS=""
WORKDIR /source
COPY . .
RUN python -m venv /opt/readbench && /opt/readbench/bin/pip install --no-cache-dir $PIP_OPTIONS -c constraints.txt .

FROM python:3.11-slim
RUN apt-get update && apt-get install -y --no-install-recommends bubblewrap && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home readbench
COPY --from=build /opt/readbench /opt/readbench
ENV PATH=/opt/readbench/bin:$PATH
USER readbench
WORKDIR /home/readbench
ENTRYPOINT ["readbench"]
CMD ["--help"]
