#!/bin/sh
# 备份到一个新文件夹，成功后才清理旧的 / a backup into a new folder; old ones go only after it is whole.
#   MUSTER_BACKUPS  放在哪里 / where             /var/backups/muster
#   MUSTER_KEEP     留几份 / how many are kept   14
#   MUSTER_CONFIG   配置文件 / the configuration  /etc/muster/config.toml
# 恢复 / to restore:  sudo systemctl stop muster
#                     sudo muster restore /var/backups/muster/20261124T033000Z
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
"$python" -m bot backup "$backups/$(date -u +%Y%m%dT%H%M%SZ)" --config "$config"

# 只数完整的备份（有 backup.json），最旧的先删 / only whole backups count, the oldest go first.
whole=$(for one in "$backups"/[0-9]*Z; do [ ! -f "$one/backup.json" ] || echo "$one"; done | sort)
excess=$(($(echo "$whole" | wc -l) - keep))
[ "$excess" -le 0 ] || echo "$whole" | head -n "$excess" | while IFS= read -r one; do
    rm -rf -- "$one"
done
