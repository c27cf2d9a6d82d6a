ifurlup('https://www.example.org/health', {
  {'192.0.2.20', '203.0.113.4'}, {'203.0.113.2'}
}, {stringmatch="\"status\":\"ok\"", useragent='Mozilla/5.0 (check)'})