"""PACKAGE lzc/lua/engine"""
