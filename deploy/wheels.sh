#!/bin/sh
# 断网安装：在能上网、系统、处理器和 Python 版本都相同的机器上运行，得到 wheels/，同程序一起拷过去，照常 python3 run.py。
# For a machine without a network: run this on one like it that has one, and copy wheels/ along with the program.
#   MUSTER_PYTHON=python3.12 deploy/wheels.sh                            换一个 Python / for another Python
#   deploy/wheels.sh --platform manylinux_2_28_aarch64 --python-version 3.12   换一种机器 / for another kind of machine
set -eu
cd "$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)"
rm -rf wheels.new
# 多副本要的也在里面 / with what several replicas need. 每个包都核对哈希 / every package is checked by hash.
"${MUSTER_PYTHON:-python3}" -m pip download --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
    -d wheels.new -r requirements-scale.lock "$@"
rm -rf wheels
mv wheels.new wheels
