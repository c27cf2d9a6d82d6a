;
if country "US" and region { 'ca', 'or', 'wa' } then
  return "192.0.2.1"
end
return pickclosest { '192.0.2.1', '198.51.100.1' }