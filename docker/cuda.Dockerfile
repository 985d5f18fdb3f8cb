# readbench on NVIDIA GPUs: docker build -f docker/cuda.Dockerfile -t readbench:cuda .
# The CUDA libraries come with torch from PyPI, so that the image needs only the driver of its host. Adapters and the 8-bit optimiser are in it.
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN python -m venv /opt/readbench && /opt/readbench/bin/pip install --no-cache-dir -c constraints.txt '.[8bit,gym,lora,ray,verifiers]'

FROM python:3.11-slim
# a compiler for training.compile; bubblewrap for the verifier `code`
RUN apt-get update && apt-get install -y --no-install-recommends bubblewrap gcc g++ && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home readbench
COPY --from=build /opt/readbench /opt/readbench
ENV PATH=/opt/readbench/bin:$PATH NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER readbench
WORKDIR /home/readbench
ENTRYPOINT ["readbench"]
CMD ["--help"]
