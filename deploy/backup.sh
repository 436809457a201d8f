#!/bin/sh
# 备份到一个新文件夹，成功后才清理旧的 / a backup into a new folder; old ones go only after it is whole.
#   MUSTER_BACKUPS  放在哪里 / where             /var/backups/muster
#   MUSTER_KEEP     留几份 / how many are kept   14
#   MUSTER_CONFIG   配置文件 / the configuration  /etc/muster/config.toml
# 恢复 / to restore:  sudo systemctl stop muster
#                     sudo muster restore /var/backups/muster   （最后一份 / the last one）
#                     sudo systemctl start muster
set -eu
home=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
python=${MUSTER_PYTHON:-$home/.venv/bin/python}
backups=${MUSTER_BACKUPS:-/var/backups/muster}
keep=${MUSTER_KEEP:-14}
config=${MUSTER_CONFIG:-/etc/muster/config.toml}

case $keep in
'' | *[!0-9]* | 0) echo "MUSTER_KEEP=$keep：应为正整数 / must be a positive number" >&2 && exit 2 ;;
esac
umask 077
mkdir -p "$backups"
cd "$home"
# 新备份完整以后才清最旧的 / the oldest go only once the new one is whole.
exec "$python" -m bot backup "$backups" --keep="$keep" --config "$config"
