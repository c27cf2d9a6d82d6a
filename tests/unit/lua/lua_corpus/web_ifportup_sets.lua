ifportup(443, {
  {'192.0.2.1', '192.0.2.2'},      -- rack 1
  {'198.51.100.1', '198.51.100.2'} -- rack 2, only if rack 1 is gone
}, {backupSelector='all'})